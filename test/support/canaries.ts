/**
 * The secrets of a service under test, made to be found again: whole, cut, or in other clothes.
 * They may be nowhere but in the calls to the upstream.
 */

import { apiKey, tokens } from './stack.ts'

export const adminToken = 'ADMINTOKEN-canary-0f1e2d3c4b5a'
export const signingKey = 'SIGNINGKEY-canary-9a8b7c6d5e4f'
export const secrets = [apiKey, adminToken, signingKey, ...Object.values(tokens)]

export const canaries = [
  ...secrets,
  // Cut, or in other clothes.
  ...secrets.flatMap(secret => [
    secret.slice(0, -4),
    secret.toLowerCase().slice(0, -4),
    Buffer.from(secret).toString('base64').slice(0, 24),
    Buffer.from(secret).toString('hex').slice(0, 24),
    encodeURIComponent(secret).slice(4)
  ])
]
