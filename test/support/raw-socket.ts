/**
 * A client without manners: sends exactly the bytes it is given and reads whatever comes back,
 * as one or several HTTP responses, until the server closes or enough has been seen. For what
 * `fetch` is too polite to send and too helpful to show.
 */

import { connect, type Socket } from 'node:net'

/** A response as it was read, from a raw socket or from `fetch`. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly body: string
}

export interface Conversation {
  readonly answers: readonly Answer[]
  /** What came after the last whole response. */
  readonly rest: string
  /** `open` if the client hung up first, having seen enough. */
  readonly end: 'closed' | 'reset' | 'open'
  /** All of it, as it came. */
  readonly bytes: Buffer
}

export interface Manner {
  /** Hang up after this many final responses; without it the server has to close. */
  readonly answers?: number
  /** Does not hang up then: whoever called goes on with the socket. */
  readonly stays?: boolean
  /** Says FIN right after the bytes. */
  readonly halfClose?: boolean
  /** What the request was, where that decides whether a response has a body. */
  readonly method?: string
  /** For servers that may take their time. */
  readonly patienceMs?: number
}

/** A bound for broken servers, not a measure of good ones. */
const usualPatienceMs = 15_000

/** Sends the bytes and reads until the server closes or the wanted responses are there. */
export async function converse(
  url: string,
  bytes: string | Buffer | readonly (string | Buffer)[],
  manner: Manner = {}
): Promise<Conversation> {
  const socket = await dial(url)
  const wire = listen(socket, manner)
  for (const part of [bytes].flat()) socket.write(part, 'latin1')
  if (manner.halfClose) socket.end()
  return await wire
}

export function dial(url: string): Promise<Socket> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => resolve(socket))
    socket.once('error', reject)
  })
}

/** Reads a socket that is already open; resolves as `converse` does. */
export function listen(socket: Socket, manner: Manner = {}) {
  const { answers: wanted, method, patienceMs = usualPatienceMs, stays } = manner
  return new Promise<Conversation>(resolve => {
    let seen = Buffer.alloc(0)
    const finish = (end: Conversation['end']) => {
      clearTimeout(timer)
      if (!stays) socket.destroy()
      else for (const [event, hear] of Object.entries(hearers)) socket.off(event, hear)
      resolve({ ...parseAnswers(seen, method), end, bytes: seen })
    }
    const timer = setTimeout(finish, patienceMs, 'open')
    const hearers = {
      data: (chunk: Buffer) => {
        seen = Buffer.concat([seen, chunk])
        const { answers } = parseAnswers(seen, method)
        if (wanted !== undefined && answers.filter(isFinal).length >= wanted) finish('open')
      },
      end: () => finish('closed'),
      error: () => finish('reset'),
      close: () => finish('closed')
    }
    for (const [event, hear] of Object.entries(hearers)) socket.on(event, hear)
  })
}

/** RFC 9110 section 15.2: those before it only say that it will come. */
function isFinal({ status }: Answer): boolean {
  return status >= 200
}

/** All whole responses in these bytes; a body is framed by its length or by chunks. */
function parseAnswers(bytes: Buffer, method = 'GET') {
  const answers: Answer[] = []
  let text = bytes.toString('latin1')
  for (;;) {
    const border = text.indexOf('\r\n\r\n')
    if (border < 0 || !text.startsWith('HTTP/1.1 ')) return { answers, rest: text }
    const [statusLine = '', ...fields] = text.slice(0, border).split('\r\n')
    const status = Number(statusLine.split(' ')[1])
    const headers = new Headers(fields.map(field => splitField(field)))
    const framed = cutBody(text.slice(border + 4), status, headers, method)
    if (!framed) return { answers, rest: text }
    answers.push({ status, headers, body: Buffer.from(framed.body, 'latin1').toString() })
    text = framed.rest
  }
}

function splitField(field: string): [string, string] {
  const colon = field.indexOf(':')
  return [field.slice(0, colon), field.slice(colon + 1).trim()]
}

function cutBody(text: string, status: number, headers: Headers, method: string) {
  if (method === 'HEAD' || status === 304 || status === 204 || status < 200) {
    return { body: '', rest: text }
  }
  if (headers.get('transfer-encoding') === 'chunked') return cutChunks(text)
  const length = Number(headers.get('content-length') ?? 0)
  if (text.length < length) return undefined
  return { body: text.slice(0, length), rest: text.slice(length) }
}

function cutChunks(text: string) {
  let body = ''
  let at = 0
  for (;;) {
    const lineEnd = text.indexOf('\r\n', at)
    if (lineEnd < 0) return undefined
    const size = Number.parseInt(text.slice(at, lineEnd), 16)
    const end = lineEnd + 2 + size + 2
    if (text.length < end) return undefined
    if (size === 0) return { body, rest: text.slice(end) }
    body += text.slice(lineEnd + 2, end - 2)
    at = end
  }
}
