/**
 * The reads: from a query or a body to a window of a list, and to its answer with its headers. What
 * is cached how long, and what is sent when, is decided further in; these files only say it in
 * HTTP's words.
 */

import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import type { Chats } from '../chats/chats.ts'
import { chatList, messageList, singleChat } from '../chats/lists.ts'
import { type ListQuery, parseListQuery, parseMessageQuery, parseNoQuery } from '../chats/query.ts'
import { noRoute } from './allowed-methods.ts'
import { listLinks } from './links.ts'
import { type NeedOptions, needOf } from './need.ts'
import { chatSchema, listSchema, messagesSchema } from './read-schemas.ts'
import { describeAnswer, sendRendering } from './representation.ts'
import { addSearchRoute } from './search-route.ts'

export interface ChatsRoutesOptions extends NeedOptions {
  readonly chats: Chats
  readonly maxLimit: number
}

/** Digits, and no more of them than any id has; anything else is no route. */
const idPath = '/chats/:id(^\\d{1,30}$)'

export function chatsRoutes(app: FastifyInstance, options: ChatsRoutesOptions): void {
  const { chats, maxLimit } = options

  app.get('/chats', { schema: listSchema(maxLimit) }, (request, reply) => {
    const [path, search] = splitTarget(request)
    const query = parseListQuery(search, maxLimit)
    const window = { list: chatList(query), offset: query.offset, limit: query.limit }
    return chats.list(window, needOf(request, options), answer => {
      request.answered = { window, answer }
      describeList(reply, path, query, answer.rendering.total)
      return sendRendering(request, reply, describeAnswer(request, reply, answer))
    })
  })

  app.get<ById>(idPath, { schema: chatSchema }, (request, reply) => {
    parseNoQuery(splitTarget(request)[1])
    const window = { list: singleChat(canonicalId(request)), offset: 0, limit: 1 }
    return chats.list(window, needOf(request, options), answer => {
      request.answered = { window, answer }
      return sendRendering(request, reply, describeAnswer(request, reply, answer))
    })
  })

  const messages = { schema: messagesSchema(maxLimit) }
  app.get<ById>(`${idPath}/messages`, messages, (request, reply) => {
    const [path, search] = splitTarget(request)
    const query = parseMessageQuery(search, maxLimit)
    const window = { list: messageList(canonicalId(request)), ...query }
    return chats.list(window, needOf(request, options), answer => {
      request.answered = { window, answer }
      describeList(reply, path, query, answer.rendering.total)
      return sendRendering(request, reply, describeAnswer(request, reply, answer))
    })
  })

  addSearchRoute(app, options)
}

interface ById {
  Params: { id: string }
}

/** One spelling per chat. What was not written in digits, but decodes to some, is no id. */
function canonicalId(request: FastifyRequest<ById>): string {
  const { id } = request.params
  if (!splitTarget(request)[0].includes(`/${id}`)) throw noRoute()
  return id.replace(/^0+(?=\d)/, '')
}

function splitTarget({ raw: { url = '' } }: FastifyRequest): [path: string, search: string] {
  const mark = url.indexOf('?')
  return mark < 0 ? [url, ''] : [url.slice(0, mark), url.slice(mark + 1)]
}

function describeList(reply: FastifyReply, path: string, query: ListQuery, total: number): void {
  reply.header('x-total-count', total)
  reply.header('link', listLinks(path.replace(/\/$/, ''), query, total))
}
