/** Answers that are no HTTP, or more of it than was asked for, and what is made of them. */

import type { Contact, ErrorCode } from '../../src/errors.ts'
import { emptyList, rawResponse } from './raw-upstream.ts'

export const listOf = (total: number) => `{"data":[],"meta":{"total":${total}}}`

export const headOf = (...lines: string[]) => ['HTTP/1.1 200 OK', ...lines, '', ''].join('\r\n')
const length = `Content-Length: ${emptyList.length}`

type Verdict = readonly [ErrorCode, Contact]
const invalid: Verdict = ['upstream_invalid_response', 'answered']
/** Whoever sends an interim response may not have seen the call yet. */
const interim: Verdict = ['upstream_invalid_response', 'unanswered']
const hints = 'HTTP/1.1 103 Early Hints\r\nLink: </x>; rel=preload\r\n\r\n'

export const garbled: Record<string, readonly [string | Buffer, Verdict]> = {
  'an SSH banner': ['SSH-2.0-OpenSSH_9.6\r\n', invalid],
  'bytes of TLS': [Buffer.from([0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x28]), invalid],
  'two lengths': [headOf(length, 'Content-Length: 5') + emptyList, invalid],
  'a length and chunks': [`${headOf(length, 'Transfer-Encoding: chunked')}0\r\n\r\n`, invalid],
  'a negative length': [headOf('Content-Length: -5'), invalid],
  'a length in words': [headOf('Content-Length: many'), invalid],
  'a bad chunk size': [`${headOf('Transfer-Encoding: chunked')}zz\r\n{}\r\n`, invalid],
  'a header of 100 kB': [headOf(`X-Large: ${'x'.repeat(100_000)}`, length) + emptyList, invalid],
  '5000 headers': [headOf(...Array(5000).fill('X-Many: x'), length) + emptyList, invalid],
  'a NUL in a header': [headOf('X-Nul: a\0b', length) + emptyList, invalid],
  'a header without a name': [headOf(': x', length) + emptyList, invalid],
  'a bare 100': ['HTTP/1.1 100 Continue\r\n\r\n', interim],
  'a 100 before the answer': [`HTTP/1.1 100 Continue\r\n\r\n${rawResponse()}`, interim],
  'a 102 before the answer': [`HTTP/1.1 102 Processing\r\n\r\n${rawResponse()}`, interim],
  'bare early hints': [hints, interim],
  'early hints before the answer': [hints + rawResponse(), interim],
  'a bare 101': ['HTTP/1.1 101 Switching Protocols\r\n\r\n', interim],
  'an upgrade nobody asked for': [
    'HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n',
    interim
  ],
  'a second answer behind the first': [rawResponse() + rawResponse(listOf(666)), invalid],
  'an error behind the answer': [rawResponse() + rawResponse('', [], '400 Bad Request'), invalid],
  'junk behind the answer': [`${rawResponse()}<html>`, invalid],
  'junk behind the last chunk': [
    `${headOf('Transfer-Encoding: chunked')}1e\r\n${emptyList}\r\n0\r\n\r\n<html>`,
    invalid
  ],
  'a body longer than its length': [`${headOf('Content-Length: 30')}${emptyList} {}`, invalid]
}
