// An identity provider for one's own machine: keeps a key pair beside AGENCY_JWKS and prints a token for 8 hours.
//
//   node dev-token.mjs [ROLE]
//
// Never use its keys anywhere else: whoever can read the directory can sign.

import { createPrivateKey, createPublicKey, generateKeyPairSync, sign } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';

const { AGENCY_CODE: agency, AGENCY_JWKS: jwks, AGENCY_JWT_ISSUER: iss, AGENCY_JWT_AUDIENCE: aud } = process.env;
if (!agency || !jwks || !iss || !aud) {
  console.error('AGENCY_CODE, AGENCY_JWKS, AGENCY_JWT_ISSUER and AGENCY_JWT_AUDIENCE say whom the token is for');
  process.exit(2);
}

const file = `${jwks}.private.pem`;
if (!existsSync(file)) {
  mkdirSync(dirname(jwks), { recursive: true });
  const { privateKey } = generateKeyPairSync('ed25519');
  writeFileSync(file, privateKey.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
}
const key = createPrivateKey(readFileSync(file));
const open = createPublicKey(key).export({ format: 'jwk' });
writeFileSync(jwks, JSON.stringify({ keys: [{ ...open, kid: 'dev', use: 'sig', alg: 'EdDSA' }] }));

const iat = Math.floor(Date.now() / 1000);
const claims = { iss, aud, sub: 'developer', name: 'Developer', roles: [process.argv[2] ?? 'AGENCY'], agency, iat, exp: iat + 8 * 3600 };
const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
const signed = `${part({ alg: 'EdDSA', typ: 'JWT', kid: 'dev' })}.${part(claims)}`;
console.log(`${signed}.${sign(null, Buffer.from(signed), key).toString('base64url')}`);
