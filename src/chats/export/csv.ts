/**
 * A chat as a row of CSV (RFC 4180: comma, CRLF, quotes where needed), in UTF-8 without a byte order
 * mark. The columns are the documented members; what upstream adds beyond them is in the other
 * formats only. Times stay as they were sent: seconds, whole or with a fraction. Null and absent are
 * empty. A number has exactly the digits that were sent; lists are JSON.
 *
 * A text that a spreadsheet would take for a formula, because it begins with = + - @, tab or a line
 * break, gets an apostrophe in front; numbers and texts that are plain numbers do not.
 */

import { numberText, parseExactly } from './exact-json.ts'

/** The column's name is the path to its value. */
export const csvColumns = [
  'id',
  'status',
  'rating',
  'createdWith',
  'createdAt',
  'lastMessageAt',
  'lastCustomerMessageAt',
  'closedAt',
  'closedBy',
  'snoozedUntil',
  'lastMessageText',
  'lastMessageId',
  'lastCommunicatedAgentId',
  'applicationId',
  'customer.id',
  'customer.name',
  'customer.email',
  'customer.userId',
  'assignee.id',
  'assignee.name',
  'assignee.email',
  'assignee.role',
  'department.id',
  'department.name',
  'agents',
  'notes',
  'readByAgent',
  'readByCustomer'
] as const

const paths = csvColumns.map(column => column.split('.'))

export const csvHeader = rowOf([...csvColumns])

/** @param chat one JSON object */
export function csvRow(chat: string): string {
  const parsed = parseExactly(chat)
  return rowOf(paths.map(path => cellOf(valueAt(parsed, path))))
}

function valueAt(chat: unknown, path: readonly string[]): unknown {
  let value = chat
  for (const name of path) {
    const isThere = typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    value = isThere ? (value as Record<string, unknown>)[name] : undefined
  }
  return value
}

function cellOf(value: unknown): string {
  if (value === undefined || value === null) return ''
  if (typeof value === 'string') return harmless(value.toWellFormed())
  return numberText(value) ?? JSON.stringify(value)
}

function harmless(text: string): string {
  return /^[=+\-@\t\r\n]/.test(text) && !/^-?\d+(\.\d+)?$/.test(text) ? `'${text}` : text
}

function rowOf(cells: readonly string[]): string {
  return `${cells.map(quoted).join(',')}\r\n`
}

function quoted(cell: string): string {
  return /[",\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell
}
