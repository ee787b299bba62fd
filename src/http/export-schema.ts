/** `GET /chats/export` in TypeBox; as in schemas.ts, it describes and neither validates nor serialises. */

import { Type } from '@sinclair/typebox'
import { csvColumns } from '../chats/export/csv.ts'
import { mostPerTeam } from '../chats/export/exports.ts'
import { formatNames } from '../chats/export/formats.ts'
import { mostAfter } from '../chats/export/query.ts'
import { largestOffset } from '../chats/query.ts'
import { chatBody } from './read-schemas.ts'
import {
  callCodes,
  commonHeaders,
  guardCodes,
  header,
  limitHeaders,
  oneOf,
  problemResponses
} from './schemas.ts'

const summary = Type.Object({
  count: Type.Integer({ description: 'Chats up to here, those before `offset` included.' }),
  total: Type.Integer({ description: 'Chats in the list when its end was read.' }),
  complete: Type.Literal(true)
})

const querystring = Type.Object({
  format: Type.Optional(oneOf(formatNames, { default: 'ndjson' })),
  offset: Type.Optional(
    Type.Integer({
      minimum: 0,
      maximum: largestOffset,
      default: 0,
      description: 'To go on with an export that broke off: how many chats were received.'
    })
  ),
  after: Type.Optional(
    Type.String({
      description:
        `With \`offset\`: the id of the last chat received, or of up to ${mostAfter} last ones, ` +
        'comma-separated, the last one last, in case that some were deleted meanwhile.'
    })
  ),
  end: Type.Optional(oneOf(['none'], { description: 'Leaves the `export` line or member out.' }))
})

const planHeaders = {
  'X-Total-Count': header(Type.Integer({ minimum: 0 }), 'Chats in the whole list at the start.'),
  'X-Export-Calls': header(Type.Integer({ minimum: 1 }), 'Calls to HelpCrunch it takes.'),
  'X-Export-Estimate': header(
    Type.Integer({ minimum: 0 }),
    'Seconds it takes at the rate open to exports.'
  ),
  'Content-Disposition': header(Type.String(), 'attachment, with a file name.'),
  'Cache-Control': header(Type.String(), 'no-store'),
  Vary: header(Type.String(), 'Origin, with CORS.')
}

export const exportSchema = {
  operationId: 'exportChats',
  summary: 'Every chat, streamed, oldest first',
  description: [
    'Reads the list by `chats.createdAt`, ascending, behind all other calls and past what is stored.',
    'Every chat that exists from the first call to the last is in it exactly once, also if others are',
    'deleted meanwhile; chats made meanwhile may be. Exports that start together read together.',
    '\n\nComplete is an export whose last NDJSON line, or last JSON member, is `export`, and a CSV whose',
    'chunked body ends cleanly; one that breaks never ends cleanly. NDJSON and CSV can be resumed after',
    'the last whole line, by `offset` and `after`; the parts then make one export. If none of the chats',
    'in `after` is left, that is refused.',
    '\n\nChats are the bytes that HelpCrunch sent, but for raw line breaks between tokens, which become',
    'spaces in NDJSON. CSV is RFC 4180 in UTF-8 without a byte order mark; texts that a spreadsheet would',
    'take for a formula get an apostrophe in front; numbers keep their digits; lists are JSON.',
    '\n\nA call that fails is tried again for five minutes. One window is read ahead of a reader that',
    'takes its time; one that takes nothing for a minute is cut off. A team may have',
    `${mostPerTeam} exports at one time, and is told 429 beyond that. HEAD tells the plan and makes one call.`
  ].join(' '),
  tags: ['chats'],
  querystring,
  headers: Type.Object({
    Prefer: Type.Optional(
      Type.String({ description: 'wait=<seconds>: the longest to wait for the first call.' })
    )
  }),
  response: {
    200: {
      description: `All chats. CSV has the columns ${csvColumns.join(', ')}.`,
      headers: { ...commonHeaders, ...limitHeaders, ...planHeaders },
      content: {
        'application/x-ndjson': {
          schema: Type.String({
            description: 'A chat on each line; the last line is `{"export":…}`, as in JSON.'
          })
        },
        'text/csv': { schema: Type.String() },
        'application/json': {
          schema: Type.Object({ data: Type.Array(chatBody), export: Type.Optional(summary) })
        }
      }
    },
    ...problemResponses(
      [
        'invalid_query',
        'upstream_rejected',
        ...guardCodes,
        ...callCodes.filter(code => code !== 'not_cached')
      ],
      limitHeaders
    )
  }
}
