// Runs Hive Gateway with the repository's configuration until it is killed.
//
//   node hive.mjs SUPERGRAPH

import { fileURLToPath } from 'node:url';
import { serve } from './port.mjs';

const path = (relative) => fileURLToPath(new URL(relative, import.meta.url));
const gateway = path('../node_modules/@graphql-hive/gateway/dist/bin.js');
const config = path('../../../api/supergraph/hive-gateway.config.mjs');
const supergraph = process.argv[2];

await serve((port) => ({
  program: process.execPath,
  args: [gateway, 'supergraph', supergraph, '--config-path', config, '--host', '127.0.0.1', '--port', String(port)],
}));
