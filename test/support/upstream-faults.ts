/**
 * What goes wrong upstream (group D), and what a caller is told of it: played in virtual time with
 * the rooms in this process, and once more with the real process and its own clock.
 */

import type { Fault } from '../../simulator/faults.ts'
import type { ErrorCode } from '../../src/errors.ts'

export interface UpstreamFault {
  readonly name: string
  /** Made anew each time; `wall` is what the service's clock shows. */
  readonly fault: (wall: number) => Fault
  readonly status: number
  readonly code: ErrorCode
  /** Calls for a page that is not stored: 2 with the one retry. */
  readonly calls?: number
  /** Seconds that Retry-After has to name. */
  readonly retryAfter?: readonly [least: number, most: number]
  /** What has to pass for it to come to something: the time limit, or a pause between calls. */
  readonly takes?: 'the time limit' | 'a pause'
}

type Told = Pick<UpstreamFault, 'status' | 'code' | 'calls' | 'retryAfter' | 'takes'>

export const invalid: Told = { status: 502, code: 'upstream_invalid_response' }
const failed: Told = { status: 502, code: 'upstream_error' }
const repeated: Told = { ...failed, calls: 2, takes: 'a pause' }
export const refused: Told = { status: 502, code: 'upstream_unauthorized' }
const broken: Told = { status: 502, code: 'upstream_unreachable', calls: 2, takes: 'a pause' }
const late: Told = { status: 504, code: 'upstream_timeout', takes: 'the time limit' }
export const limited: Told = { status: 503, code: 'upstream_rate_limited', takes: 'a pause' }

const row = (name: string, fault: Fault, told: Told): UpstreamFault => ({
  name,
  fault: () => fault,
  ...told
})
const body = (text: string): Fault => ({ kind: 'body', body: text })
const raw = (...lines: string[]): Fault => ({ kind: 'raw', bytes: lines.join('\r\n') })
const list = '{"data":[],"meta":{"total":0}}'

/** D1-D4: the wire. */
export const wires: readonly UpstreamFault[] = [
  row('a reset before a byte (D1)', { kind: 'resetBeforeBytes' }, broken),
  row('no answer (D2)', { kind: 'hang' }, late),
  row('dripped headers (D2)', { kind: 'dripHeaders' }, late),
  row('a dripped body (D3)', { kind: 'dripBody' }, late),
  row('half an answer (D3)', { kind: 'stallMidBody' }, late),
  row('an answer that is too late (D3)', { kind: 'delay', ms: 60_000 }, late),
  row('cut off by length (D4)', { kind: 'truncated', framing: 'length' }, invalid),
  row('cut off in chunks (D4)', { kind: 'truncated', framing: 'chunked' }, invalid),
  row('a reset amid the body (D4)', { kind: 'resetMidBody' }, invalid)
]

/** D5-D7: 200, but not what was asked for. */
export const bodies: readonly UpstreamFault[] = [
  row('HTML (D5)', { kind: 'html' }, invalid),
  row('nothing (D5)', { kind: 'empty200' }, invalid),
  row('invalid JSON (D5)', { kind: 'invalidJson' }, invalid),
  ...['null', '[]', '{}', '{"data":{},"meta":{"total":0}}', '{"data":[]}', '[1]'].map(text =>
    row(`${text} (D6)`, body(text), invalid)
  ),
  row('ids where chats should be (D6)', body('{"data":["1"],"meta":{"total":1}}'), invalid),
  row(
    'more chats than asked for (D6)',
    body(`{"data":[${Array(101).fill('{}')}],"meta":{"total":101}}`),
    invalid
  ),
  row('a list cut short, twice (D6)', body('{"data":[{}],"meta":{"total":1000000}}'), {
    ...invalid,
    calls: 2
  }),
  row('brackets 200,000 deep (D7)', body('['.repeat(200_000)), invalid),
  row('more than may be (D7)', { kind: 'bodyOfBytes', bytes: 3_000_000 }, invalid),
  row('a gzip bomb (D7)', { kind: 'gzipBomb', bytes: 8_000_000 }, invalid),
  row('corrupt gzip (D7)', { kind: 'corruptGzip' }, invalid),
  row('an unknown encoding (D7)', { kind: 'unknownEncoding' }, invalid),
  row(
    'six encodings (D7)',
    { kind: 'unknownEncoding', encoding: 'gzip, gzip, gzip, gzip, gzip, gzip' },
    invalid
  )
]

/** D9-D14, D18: statuses. */
export const statuses: readonly UpstreamFault[] = [
  row('401 (D9)', { kind: 'status', status: 401 }, refused),
  row('403 (D9)', { kind: 'status', status: 403 }, refused),
  row('404 for a list (D10)', { kind: 'status', status: 404 }, failed),
  row('500 (D13)', { kind: 'status', status: 500 }, failed),
  row('502 in HTML (D5)', { kind: 'html', status: 502 }, repeated),
  row('503 (D13)', { kind: 'status', status: 503 }, repeated),
  row(
    '503 that says when (D13)',
    { kind: 'status', status: 503, headers: { 'Retry-After': '17' } },
    // Longer than anybody waits, so it is not repeated.
    { ...failed, retryAfter: [17, 17] }
  ),
  row('504 (D13)', { kind: 'status', status: 504 }, failed),
  row('a redirect to itself (D14)', { kind: 'redirect', to: '/v1/chats', status: 301 }, invalid),
  row('a redirect elsewhere (D14)', { kind: 'redirect', to: 'http://127.0.0.1:1/' }, invalid),
  row('a redirect to a file (D14)', { kind: 'redirect', to: 'file:///etc/passwd' }, invalid),
  ...[201, 204, 206, 304].map(status =>
    row(
      `${status} (D18)`,
      { kind: 'status', status, body: status % 100 === 4 ? '' : list },
      invalid
    )
  ),
  row('999 (D18)', raw('HTTP/1.1 999 Odd', `Content-Length: ${list.length}`, '', list), invalid),
  row(
    'two lengths (D18)',
    raw('HTTP/1.1 200 OK', 'Content-Length: 1', 'Content-Length: 30', '', list),
    invalid
  ),
  row(
    'length and chunks (D18)',
    raw('HTTP/1.1 200 OK', 'Content-Length: 3', 'Transfer-Encoding: chunked', '', '0', '', ''),
    invalid
  ),
  row(
    'a bad chunk (D18)',
    raw('HTTP/1.1 200 OK', 'Transfer-Encoding: chunked', '', 'zz', ''),
    invalid
  ),
  row('no HTTP (D18)', raw('SSH-2.0-OpenSSH_9.6', ''), invalid)
]

/** D11, D12: 429 although by our count there is room. */
export const limits: readonly UpstreamFault[] = [
  ['40', [40, 70]],
  ['99999999999', [300, 360]],
  [undefined, undefined],
  ['junk', undefined],
  ['-5', undefined],
  ['', undefined]
].map(([value, retryAfter]) => ({
  name: `429, Retry-After: ${value ?? 'none'} (D11)`,
  fault: () => ({
    ...{ kind: 'status' as const, status: 429 },
    ...(value !== undefined && { headers: { 'retry-after': value as string } })
  }),
  ...limited,
  ...(retryAfter && { retryAfter: retryAfter as [number, number] })
}))

export const dated: UpstreamFault = {
  name: '429, Retry-After as a date (D11)',
  fault: wall => {
    const headers = { 'RETRY-AFTER': new Date(wall + 40_000).toUTCString() }
    return { kind: 'status', status: 429, headers }
  },
  ...limited,
  retryAfter: [39, 70]
}
