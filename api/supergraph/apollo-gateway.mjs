// What Apollo Gateway passes on. It has no file of settings: give these two to what makes it.
//
//   buildService: ({ url }) => new RemoteGraphQLDataSource({ url, willSendRequest })
//   startStandaloneServer(server, { context })

/** What the gateway remembers of a request. Each on the way adds the address it was asked from. */
export const context = async ({ req: { headers, socket } }) => ({
  passedOn: {
    authorization: headers.authorization,
    'accept-language': headers['accept-language'],
    'x-forwarded-for': [headers['x-forwarded-for'], socket.remoteAddress].filter(Boolean).join(', '),
  },
});

/** Each subgraph checks the token for itself, answers in the language that was asked for, and counts who asks too often. */
export const willSendRequest = ({ request, context: { passedOn = {} } }) => {
  for (const [name, value] of Object.entries(passedOn)) {
    if (value) request.http.headers.set(name, value);
  }
};
