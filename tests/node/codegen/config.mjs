/** Configures graphql-codegen to read the schema from a file, or from the URL of the SDL without introspection. */
export const config = (schema) => ({
  schema: schema.startsWith('http') ? [{ [schema]: { handleAsSDL: true } }] : schema,
  documents: 'codegen/operations.graphql',
  generates: {
    'generated.ts': {
      plugins: ['typescript-operations'],
      config: {
        enumsAsTypes: true,
        strictScalars: true,
        scalars: { DateTime: 'string', Date: 'string', KatoCode: 'string', Tenge: 'string' },
      },
    },
  },
  silent: true,
});
