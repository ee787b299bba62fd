/** A request with exactly these headers and the bytes as they came: fetch adds and decodes. */

import { type IncomingHttpHeaders, request } from 'node:http'
import { buffer } from 'node:stream/consumers'
import { tokens } from './stack.ts'

export interface BareResponse {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export function bareRequest(
  url: string,
  headers: Readonly<Record<string, string>> = {},
  method = 'GET'
): Promise<BareResponse> {
  return new Promise((resolve, reject) => {
    const authorization = `Bearer ${tokens.blue}`
    const sent = request(url, { method, headers: { authorization, ...headers } }, async answer => {
      const { statusCode = 0, headers } = answer
      resolve({ status: statusCode, headers, body: await buffer(answer) })
    })
    sent.on('error', reject).end()
  })
}
