/**
 * `Link` of a list (RFC 8288): first, prev, next, last as path-absolute references that keep the
 * caller's prefix. Windows of one walk neither overlap nor leave gaps: `next` is missing exactly
 * where there is nothing more, `prev` exactly at the start.
 */

import { type ListQuery, listParameters } from '../chats/query.ts'

/** @param path the route as the caller wrote it, without the query: `/chats` or `/v1/chats` */
export function listLinks(path: string, query: ListQuery, total: number): string {
  const { offset, limit } = query
  const to = (start: number, size: number, relation: string) =>
    `<${path}?${listParameters(query)}offset=${start}&limit=${size}>; rel="${relation}"`
  const last = lastOffset(query, total)
  const links = [to(0, limit, 'first')]
  if (offset > 0) {
    // Where less than a whole window lies before this one, a whole one would repeat its chats.
    links.push(to(Math.max(Math.min(offset - limit, last), 0), Math.min(limit, offset), 'prev'))
  }
  if (offset + limit < total) links.push(to(offset + limit, limit, 'next'))
  links.push(to(last, limit, 'last'))
  return links.join(', ')
}

/** Where the last window starts, in steps of `limit` from the window at hand. */
function lastOffset({ offset, limit }: ListQuery, total: number): number {
  const start = offset % limit
  return total <= start ? 0 : start + Math.floor((total - 1 - start) / limit) * limit
}
