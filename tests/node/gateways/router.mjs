// Runs a router until it is killed.
//
//   node router.mjs hive|apollo PROGRAM CONFIG SUPERGRAPH

import { serve } from './port.mjs';

const [kind, program, config, supergraph] = process.argv.slice(2);

const commands = {
  hive: (port) => ({
    env: { ROUTER_CONFIG_FILE_PATH: config, SUPERGRAPH_FILE_PATH: supergraph, HOST: '127.0.0.1', PORT: String(port) },
  }),
  apollo: (port) => ({
    args: ['--config', config, '--supergraph', supergraph, '--listen', `127.0.0.1:${port}`],
    env: { APOLLO_TELEMETRY_DISABLED: 'true', ROUTER_HEALTH_LISTEN: '127.0.0.1:0' },
  }),
};

await serve((port) => ({ program, ...commands[kind](port) }));
