/**
 * Validates the served SDL as strictly as Apollo's generators for iOS and Kotlin: every directive is defined, and there is no
 * `@link` and nothing for gateways only. Argument: its URL.
 */
import { GraphQLError, Kind, assertValidSchema, buildSchema, parse, validate } from 'graphql';
import { readFileSync } from 'node:fs';

const [address] = process.argv.slice(2);
const answer = await fetch(address);
const sdl = await answer.text();
const schema = buildSchema(sdl);
assertValidSchema(schema);
const extended = parse(sdl).definitions.filter(({ kind }) => kind === Kind.SCHEMA_EXTENSION);
if (extended.length > 0) throw new GraphQLError('the schema is extended', { nodes: extended });
const names = Object.keys(schema.getTypeMap()).filter((name) => !name.startsWith('__'));
const internal = [...names, ...Object.keys(schema.getQueryType().getFields())].filter((name) => name.startsWith('_'));
if (internal.length > 0) throw new Error(`for gateways only: ${internal}`);
const operations = readFileSync(new URL('operations.graphql', import.meta.url), 'utf8');
const faults = validate(schema, parse(operations));
if (faults.length > 0) throw faults[0];
process.stdout.write(`${names.length}`);
