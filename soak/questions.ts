/**
 * What callers ask for, drawn from a seed: windows of three lists, one within a page or across
 * several, single chats, their messages and a search, in both spellings of the paths.
 */

import type { Random } from '../simulator/random.ts'
import { type History, searchBody, type ViewName } from './history.ts'

export type Subject =
  | {
      readonly of: 'list'
      readonly view: ViewName
      readonly offset: number
      readonly limit: number
    }
  | { readonly of: 'chat'; readonly id: string }
  | {
      readonly of: 'messages'
      readonly id: string
      readonly offset: number
      readonly limit: number
    }

export interface Question {
  readonly subject: Subject
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly body?: string
  readonly headers: Readonly<Record<string, string>>
  /** How long its caller waits for a call to be sent, if that is said. */
  readonly waitMs?: number
}

/** As many as there are at least all the time, by whole pages. */
const surelyThere = 500

const sortOf = {
  created: 'sort=chats.createdAt&order=asc',
  latest: 'sort=chats.lastMessageAt&order=desc',
  closed: 'sort=chats.closedAt&order=desc'
}

const limits = [5, 10, 20, 25, 50, 100]

export function ask(random: Random, history: History): Question {
  const question = draw(random, history)
  const path = random.chance(0.1) ? `/v1${question.path}` : question.path
  const waitMs = random.chance(0.1) ? 1000 : undefined
  const headers = {
    ...(waitMs !== undefined && { prefer: `wait=${waitMs / 1000}` }),
    ...(random.chance(0.02) && { 'cache-control': 'no-cache' }),
    ...question.headers
  }
  return { ...question, path, headers, ...(waitMs !== undefined && { waitMs }) }
}

function draw(random: Random, history: History): Question {
  const kind = random.next()
  if (kind < 0.75) return list(random)
  const id = random.pick(history.ids.slice(0, 40))
  if (kind < 0.85) return get({ of: 'chat', id }, `/chats/${id}`)
  if (kind < 0.95) return messages(random, id)
  return search(random)
}

/** The last view, the search, is asked for by others. */
function list(random: Random): Question {
  const view = random.pick(['created', 'latest', 'latest', 'closed'] as const)
  const [offset, limit] = windowOf(random)
  const path = `/chats?${sortOf[view]}&offset=${offset}&limit=${limit}`
  return get({ of: 'list', view, offset, limit }, path)
}

/** Most people look at the beginning. */
function windowOf(random: Random): [offset: number, limit: number] {
  if (random.chance(0.1)) return [random.below(200), 150 + random.below(100)]
  const limit = random.pick(limits)
  const page = random.chance(0.7) ? 0 : random.below(surelyThere / 100)
  return [100 * page + limit * random.below(100 / limit), limit]
}

function messages(random: Random, id: string): Question {
  const limit = random.pick(limits)
  const subject = { of: 'messages', id, offset: 0, limit } as const
  return get(subject, `/chats/${id}/messages?limit=${limit}`)
}

function search(random: Random): Question {
  const limit = random.pick(limits)
  const body = JSON.stringify({ ...JSON.parse(searchBody), limit })
  return {
    subject: { of: 'list', view: 'search', offset: 0, limit },
    method: 'POST',
    path: '/chats/search',
    body,
    headers: { 'content-type': 'application/json' }
  }
}

function get(subject: Subject, path: string): Question {
  return { subject, method: 'GET', path, headers: {} }
}
