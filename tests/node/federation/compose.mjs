// Composes subgraphs with both libraries and writes the supergraph, or fails with the errors of both.
//
//   node compose.mjs [--out FILE] [--url NAME=URL]... [--exclude-tag TAG]... [--public] [NAME=FILE]...
//
// Defaults to this service's and the agency's subgraphs, and to standard output. --exclude-tag creates a contract without what
// has the tag or becomes unreachable. --public prints the schema that clients of a gateway see.

import { readFileSync, writeFileSync, writeSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { composeServices as composeByApollo } from '@apollo/composition';
import * as guild from '@theguild/federation-composition';
import { parse, print } from 'graphql';

const checkout = (path) => fileURLToPath(new URL(`../../../${path}`, import.meta.url));
const ours = [`kezdesu=${checkout('api/schema.graphql')}`, `agency=${checkout('examples/agency/schema.graphql')}`];
const urls = { kezdesu: 'http://127.0.0.1:8080/graphql', agency: 'http://127.0.0.1:8081/graphql' };

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string' },
    url: { type: 'string', multiple: true, default: [] },
    'exclude-tag': { type: 'string', multiple: true, default: [] },
    public: { type: 'boolean', default: false },
  },
});

const pair = (text) => {
  const at = text.indexOf('=');
  if (at < 1) throw new Error(`${text} is not of the form NAME=VALUE`);
  return [text.slice(0, at), text.slice(at + 1)];
};

Object.assign(urls, Object.fromEntries(values.url.map(pair)));
const subgraphs = (positionals.length > 0 ? positionals : ours).map(pair).map(([name, file]) => {
  if (!urls[name]) throw new Error(`where ${name} is served is not known: --url ${name}=URL`);
  return { name, url: urls[name], typeDefs: parse(readFileSync(file, 'utf8')) };
});

const excluded = new Set(values['exclude-tag']);
const filter = { include: new Set(), exclude: excluded };
const wanted = excluded.size > 0 ? guild.applyTagFilterOnSubgraphs(subgraphs, filter) : subgraphs;
const byApollo = composeByApollo(wanted);
const byGuild = excluded.size > 0 ? guild.composeSchemaContract(subgraphs, filter, true) : guild.composeServices(subgraphs);

const refusals = (library, result) => (result.errors ?? []).map((error) => `${library}: ${error.message}`);
const problems = [...refusals('@apollo/composition', byApollo), ...refusals('@theguild/federation-composition', byGuild)];
if (problems.length > 0) {
  console.error(problems.join('\n'));
  process.exit(1);
}

// Only the second library can remove what becomes unreachable.
const supergraph = excluded.size > 0 ? byGuild.supergraphSdl : byApollo.supergraphSdl;
const seen = () => print(guild.transformSupergraphToPublicSchema(parse(supergraph)));
const text = `${(values.public ? seen() : supergraph).trimEnd()}\n`;
if (values.out) writeFileSync(values.out, text);
else writeSync(1, text);
