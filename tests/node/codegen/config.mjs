/** How graphql-codegen is told to read the schema: a file, or the address of the SDL, which no introspection is needed for. */
export const config = (schema) => ({
  schema: schema.startsWith('http') ? [{ [schema]: { handleAsSDL: true } }] : schema,
  documents: 'codegen/operations.graphql',
  generates: {
    'generated.ts': {
      plugins: ['typescript-operations'],
      config: {
        enumsAsTypes: true,
        strictScalars: true,
        scalars: { DateTime: 'string', Date: 'string', KatoCode: 'string' },
      },
    },
  },
  silent: true,
});
