/**
 * What a request target asks for, read as the listener and its routes read it, for who asks what
 * would become of a GET without sending it.
 */

import { chatList, messageList, singleChat, type Window } from '../chats/lists.ts'
import { parseListQuery, parseMessageQuery, parseNoQuery } from '../chats/query.ts'
import { routeNames } from '../observe/requests.ts'
import { noRoute, wrongMethod } from './allowed-methods.ts'
import { checkRequest } from './request-checks.ts'

export interface ReadTarget {
  readonly route: string
  readonly window: Window
}

/** Reads are explained; searches have a body, exports many answers, and the others cost nothing. */
export class NotExplainedError extends Error {}

/**
 * @param target path and query, as they stand in a request line
 * @throws {ServiceError} what such a request is answered with, whoever sends it
 * @throws {NotExplainedError} for a route that is none of the reads
 */
export function readTarget(target: string, maxLimit: number): ReadTarget {
  checkRequest(target, '1.1', ['host', ''])
  const [, path = '', search = ''] = /^([^?]*)\??(.*)$/s.exec(target) ?? []
  const route = routePath(path)
  if (route === '/chats') {
    const { limit, offset, ...name } = parseListQuery(search, maxLimit)
    return { route, window: { list: chatList(name), offset, limit } }
  }
  const [, id, tail] = /^\/chats\/(\d{1,30})(\/messages)?$/.exec(route) ?? []
  if (id === undefined) throw refusalOf(route)
  // What was not written in digits, but decodes to some, is no id.
  if (!path.includes(`/${id}`)) throw noRoute()
  return readOfChat(id.replace(/^0+(?=\d)/, ''), tail !== undefined, search, maxLimit)
}

/** What `/v1`, a trailing slash and needless escapes say nothing about. */
function routePath(path: string): string {
  return decodeURI(path)
    .replace(/^\/v1(?=\/)/, '')
    .replace(/(?<=.)\/$/, '')
}

function readOfChat(id: string, isMessages: boolean, search: string, maxLimit: number): ReadTarget {
  if (!isMessages) {
    parseNoQuery(search)
    return { route: '/chats/{id}', window: { list: singleChat(id), offset: 0, limit: 1 } }
  }
  const query = parseMessageQuery(search, maxLimit)
  return { route: '/chats/{id}/messages', window: { list: messageList(id), ...query } }
}

function refusalOf(route: string): Error {
  if (route === '/chats/search') return wrongMethod('POST')
  return routeNames.includes(route) || route === '/v1' ? new NotExplainedError(route) : noRoute()
}
