// GraphiQL over this service's own endpoint. A token goes into the headers tab: {"Authorization": "Bearer …"}.
const socket = `${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/graphql`;
const fetcher = (parameters, options) => {
  const headers = options?.headers ?? {};
  const authorization = headers.Authorization ?? headers.authorization;
  const wsClient = graphqlWs.createClient({
    url: socket,
    lazy: true,
    connectionParams: authorization ? { authorization } : {},
  });
  return GraphiQL.createFetcher({ url: "/graphql", wsClient })(parameters, options);
};
const first = `# What is live now. Put the id into the subscription below.
query Live { meetings(filter: { phases: [LIVE] }) { nodes { id title { kk ru } timeSplit { stage presentationMs budgetMs } } } }

subscription Questions($id: ID!) {
  comments(meetingId: $id) { seq prev kind comment { receipt body state votes } }
}
`;
ReactDOM.createRoot(document.getElementById("explorer"))
  .render(React.createElement(GraphiQL, { fetcher, defaultQuery: first }));
