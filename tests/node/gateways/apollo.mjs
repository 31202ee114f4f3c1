// Runs Apollo Gateway until it is killed.
//
//   node apollo.mjs SUPERGRAPH

import { readFileSync } from 'node:fs';
import { ApolloGateway, RemoteGraphQLDataSource } from '@apollo/gateway';
import { ApolloServer } from '@apollo/server';
import { startStandaloneServer } from '@apollo/server/standalone';
import { context, willSendRequest } from '../../../api/supergraph/apollo-gateway.mjs';

const supergraphSdl = readFileSync(process.argv[2], 'utf8');
const buildService = ({ url }) => new RemoteGraphQLDataSource({ url, willSendRequest });
const gateway = new ApolloGateway({ supergraphSdl, buildService });
const server = new ApolloServer({ gateway });
const { url } = await startStandaloneServer(server, { context, listen: { host: '127.0.0.1', port: 0 } });
console.log(`listening on ${new URL(url).origin}`);
