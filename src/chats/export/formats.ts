/**
 * The formats of an export. In NDJSON and JSON each chat is the bytes that the upstream sent; only a
 * raw line break between two tokens becomes a space in NDJSON, where it would end the line. (JSON
 * allows none inside of strings, RFC 8259 section 7.) Parts of one export, broken off after a whole
 * chat and resumed, make one again if they are joined, except in JSON.
 */

import { csvHeader, csvRow } from './csv.ts'

export const formatNames = ['ndjson', 'csv', 'json'] as const
export type FormatName = (typeof formatNames)[number]

/** The end mark: only an export that is complete has one. */
export interface Summary {
  /** Chats up to here, those before the offset included. */
  readonly count: number
  /** Chats in the list when its end was read. */
  readonly total: number
  readonly complete: true
}

export interface Format {
  readonly mediaType: string
  /** @param isResumed whether an earlier part has begun the body */
  start(isResumed: boolean): Buffer
  /** @param isFirst whether no chat of this body came before */
  chats(chats: readonly Buffer[], isFirst: boolean): Buffer
  /** @param summary none if the end is not to be marked */
  end(summary: Summary | undefined): Buffer
}

const nothing = Buffer.alloc(0)
const lineEnd = Buffer.from('\n')
const comma = Buffer.from(',\n')

const ndjson: Format = {
  mediaType: 'application/x-ndjson; charset=utf-8',
  start: () => nothing,
  chats: chats => Buffer.concat(chats.flatMap(chat => [oneLine(chat), lineEnd])),
  end: summary => (summary ? text(`${JSON.stringify({ export: summary })}\n`) : nothing)
}

const json: Format = {
  mediaType: 'application/json; charset=utf-8',
  start: () => text('{"data":[\n'),
  chats: (chats, isFirst) =>
    Buffer.concat(chats.flatMap((chat, at) => (isFirst && at === 0 ? [chat] : [comma, chat]))),
  end: summary => text(summary ? `\n],"export":${JSON.stringify(summary)}}\n` : '\n]}\n')
}

const csv: Format = {
  mediaType: 'text/csv; charset=utf-8',
  start: isResumed => (isResumed ? nothing : text(csvHeader)),
  chats: chats => text(chats.map(chat => csvRow(chat.toString())).join('')),
  end: () => nothing
}

export const formats: Readonly<Record<FormatName, Format>> = { ndjson, csv, json }

const newline = 0x0a
const carriageReturn = 0x0d
const space = 0x20

function oneLine(chat: Buffer): Buffer {
  if (!chat.includes(newline) && !chat.includes(carriageReturn)) return chat
  return Buffer.from(chat.map(byte => (byte === newline || byte === carriageReturn ? space : byte)))
}

function text(value: string): Buffer {
  return Buffer.from(value)
}
