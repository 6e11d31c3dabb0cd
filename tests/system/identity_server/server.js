// An identity server on loopback that knows two apps, a public one and one with a secret, and lays its addresses out as
// Xero does. Everything it does is oidc-provider's own; nothing here is a rule of ours. It says where it listens in one
// line, and ends when its standard input does.

import { createServer } from 'node:http';
import { once } from 'node:events';

import Provider from 'oidc-provider';

const SCOPES = ['offline_access', 'practicemanager.staff.read', 'practicemanager.client.read'];
const API = 'https://api.example.com/';

const app = {
  // A native app: on a loopback address the port of its redirect address is free (RFC 8252, section 7.3).
  application_type: 'native',
  grant_types: ['authorization_code', 'refresh_token'],
  redirect_uris: ['http://localhost/callback'],
  response_types: ['code'],
  scope: SCOPES.join(' '),
};

const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const url = `http://127.0.0.1:${server.address().port}`;

const provider = new Provider(url, {
  clients: [
    { ...app, client_id: 'public-app', token_endpoint_auth_method: 'none' },
    { ...app, client_id: 'web-app', client_secret: process.argv[2], token_endpoint_auth_method: 'client_secret_basic' },
  ],
  cookies: { keys: ['of-this-run-alone'] },
  features: {
    resourceIndicators: {
      defaultResource: () => API,
      getResourceServerInfo: () => ({ scope: SCOPES.join(' '), accessTokenFormat: 'jwt', accessTokenTTL: 1800 }),
      useGrantedResource: () => true,
    },
    revocation: { enabled: true },
  },
  findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  issueRefreshToken: (_context, client) => client.grantTypeAllowed('refresh_token'), // as Xero, without prompt=consent
  rotateRefreshToken: true,
  routes: {
    authorization: '/identity/connect/authorize',
    token: '/connect/token',
    revocation: '/connect/revocation',
  },
  scopes: SCOPES,
});

server.on('request', provider.callback());
process.stdin.on('end', () => process.exit()).resume();
console.log(url);
