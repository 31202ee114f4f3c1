// Hive Gateway in front of Kezdesu and an agency's subgraph.
//
//   hive-gateway supergraph supergraph.graphql --config-path hive-gateway.config.mjs

// Where the subgraphs are, where that is not what the supergraph says.
const location = (name) => (process.env[name] ? { location: process.env[name] } : {});

// What one asks over WebSocket has the payload of `connection_init` among its headers.
const language = ({ headers }) => headers.language ?? headers['accept-language'];

// From where one asks: each on the way adds the address it was asked from.
const forwarded = ({ headers, req }) => [headers['x-forwarded-for'], req?.socket.remoteAddress].filter(Boolean).join(', ');

// A subscription that is refused comes from the transport as a thrown list of errors. As a result it reaches the client whole.
const refused = (errors) => {
  if (!Array.isArray(errors)) throw errors;
  return { done: false, value: { errors } };
};
const whole = (results) => {
  const iterator = results[Symbol.asyncIterator]();
  return {
    next: () => iterator.next().catch(refused),
    return: () => iterator.return(),
    throw: (error) => iterator.throw(error),
    [Symbol.asyncIterator]() {
      return this;
    },
  };
};

export const gatewayConfig = {
  // Each subgraph checks the token for itself, answers in the language that was asked for, and counts who asks too often.
  propagateHeaders: {
    fromClientToSubgraphs: ({ context }) => ({
      authorization: context.headers.authorization,
      'accept-language': language(context),
      'x-forwarded-for': forwarded(context),
    }),
  },
  transportEntries: {
    kezdesu: {
      ...location('KEZDESU_URL'),
      options: {
        subscriptions: {
          kind: 'ws',
          location: '/graphql',
          // Subscribers with the same token and language share a socket; that is why the service must know it by KEZDESU_GATEWAYS.
          options: {
            connectionParams: {
              authorization: '{context.headers.authorization}',
              language: '{context.language}',
            },
          },
        },
      },
    },
    agency: location('AGENCY_URL'),
  },
  plugins: () => [
    {
      onContextBuilding: ({ context, extendContext }) => {
        extendContext({ language: language(context)?.split(',')[0] });
      },
      onSubgraphExecute: ({ executionRequest, executor, setExecutor }) => {
        if (executionRequest.operationType !== 'subscription') return;
        setExecutor(async (request) => whole(await executor(request)));
      },
    },
  ],
  // The service's own limits hold; a batch would only go round those of the gateway.
  batching: false,
};
