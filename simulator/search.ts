/**
 * What `POST /chats/search` means: reads the body, refuses it with the documented entries, and
 * makes of its filter one test per chat. Everything a chat has under a field is a list of values
 * (none, one or many), so that one set of operators serves all fields.
 */

import type { Chat } from './chats.ts'
import { blank, type ErrorEntry, noChoice, notNumeric, Refusal } from './errors.ts'
import { type ListQuery, readQuery } from './query.ts'

export interface Search {
  readonly query: ListQuery
  readonly matches: (chat: Chat) => boolean
}

type Value = string | number | null
type Test = (chat: Chat) => boolean
type Json = Readonly<Record<string, unknown>>

interface Field {
  readonly numeric: boolean
  readonly values: (chat: Chat) => readonly Value[]
}

const fields: ReadonlyMap<unknown, Field> = new Map([
  ['chats.assignee', { numeric: true, values: chat => [chat.assigneeId] }],
  ['chats.agents', { numeric: true, values: chat => chat.agentIds }],
  ['chats.department', { numeric: true, values: chat => [chat.departmentId] }],
  ['chats.customer', { numeric: true, values: chat => [chat.customerId] }],
  ['chats.customer.email', { numeric: false, values: chat => [chat.customerEmail] }],
  ['chats.customer.tagsData', { numeric: false, values: chat => chat.tags }],
  ['chats.status', { numeric: false, values: chat => [chat.status] }],
  ['chats.rating', { numeric: false, values: chat => [chat.rating] }],
  ['chats.createdAt', { numeric: true, values: chat => [chat.createdAt] }],
  ['chats.closedAt', { numeric: true, values: chat => [chat.closedAt] }]
] satisfies [string, Field][])

interface Operator {
  readonly compare: (held: string | number, wanted: string | number) => boolean
  readonly negated: boolean
}

const equal: Operator['compare'] = (held, wanted) => held === wanted
const contains: Operator['compare'] = (held, wanted) =>
  String(held).toLowerCase().includes(String(wanted).toLowerCase())

const operators: ReadonlyMap<unknown, Operator> = new Map([
  ['=', { compare: equal, negated: false }],
  ['!=', { compare: equal, negated: true }],
  ['~', { compare: contains, negated: false }],
  ['!~', { compare: contains, negated: true }],
  ['>', { compare: (held, wanted) => held > wanted, negated: false }],
  ['<', { compare: (held, wanted) => held < wanted, negated: false }],
  ['>=', { compare: (held, wanted) => held >= wanted, negated: false }],
  ['<=', { compare: (held, wanted) => held <= wanted, negated: false }]
] satisfies [string, Operator][])

/** `body` is the parsed JSON. Throws a Refusal with every problem of the filter. */
export function readSearch(body: unknown): Search {
  const { comparison = 'AND', filter, order, ...rest } = asObject(body)
  if (!Array.isArray(filter)) throw new Refusal(400, [{ code: 'filter', message: blank }])
  const query = readQuery({
    ...rest,
    order: typeof order === 'string' ? order.toLowerCase() : order
  })
  const readings = filter.map((condition, index) => readCondition(asObject(condition), index))
  const problems = readings.filter(isProblem)
  if (comparison !== 'AND' && comparison !== 'OR')
    problems.push({ code: 'comparison', message: noChoice })
  if (problems.length > 0) throw new Refusal(400, problems)
  return { query, matches: join(readings.filter(isTest), comparison === 'OR') }
}

/** No condition excludes nothing, under OR as well. */
function join(tests: readonly Test[], any: boolean): Test {
  if (any && tests.length > 0) return chat => tests.some(test => test(chat))
  return chat => tests.every(test => test(chat))
}

function readCondition(condition: Json, index: number): Test | ErrorEntry {
  const at = (part: string, message: string) => ({ code: `filter[${index}].${part}`, message })
  const field = fields.get(condition.field)
  if (!field) return at('field', condition.field ? noChoice : blank)
  const operator = operators.get(condition.operator)
  if (!operator) return at('operator', condition.operator ? noChoice : blank)
  const wanted = wantedValues(condition.value, field.numeric)
  if (wanted.length === 0) return at('value', blank)
  // The one documented example names the field itself here, without its prefix.
  const code = String(condition.field).slice('chats.'.length)
  if (wanted.some(Number.isNaN)) return { code, message: notNumeric }
  const holds = (held: Value) => held !== null && wanted.some(one => operator.compare(held, one))
  return chat => field.values(chat).some(holds) !== operator.negated
}

/** Scalars, or the `[{"name"}]` in which tags are asked for. NaN stands for what is no number. */
function wantedValues(value: unknown, numeric: boolean): (string | number)[] {
  return [value]
    .flat()
    .map(item => asObject(item).name ?? item)
    .filter(item => item !== undefined && item !== null && item !== '')
    .map(item => (numeric ? Number(item) : String(item)))
}

function asObject(value: unknown): Json {
  return typeof value === 'object' && value !== null ? (value as Json) : {}
}

function isProblem(reading: Test | ErrorEntry): reading is ErrorEntry {
  return typeof reading !== 'function'
}

function isTest(reading: Test | ErrorEntry): reading is Test {
  return typeof reading === 'function'
}
