/**
 * `Link` of a list (RFC 8288): first, prev, next, last as path-absolute references that keep the
 * caller's prefix. `next` is missing exactly where there is nothing more.
 */

import { type ListQuery, listParameters } from '../chats/query.ts'

/** @param path the route as the caller wrote it, without the query: `/chats` or `/v1/chats` */
export function listLinks(path: string, query: ListQuery, total: number): string {
  const { offset, limit } = query
  const at = (start: number, relation: string) =>
    `<${path}?${listParameters(query)}offset=${start}&limit=${limit}>; rel="${relation}"`
  const last = lastOffset(query, total)
  const links = [at(0, 'first')]
  if (offset > 0) links.push(at(Math.max(Math.min(offset - limit, last), 0), 'prev'))
  if (offset + limit < total) links.push(at(offset + limit, 'next'))
  links.push(at(last, 'last'))
  return links.join(', ')
}

/** Where the last window starts, in steps of `limit` from the window at hand. */
function lastOffset({ offset, limit }: ListQuery, total: number): number {
  const start = offset % limit
  return total <= start ? 0 : start + Math.floor((total - 1 - start) / limit) * limit
}
