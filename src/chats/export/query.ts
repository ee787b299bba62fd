/** The query of an export: in which format, and where it goes on if it was broken off. */

import { Parameters } from '../parameters.ts'
import { largestOffset } from '../query.ts'
import { type FormatName, formatNames } from './formats.ts'
import { type Place, theBeginning } from './walk.ts'

export interface ExportQuery {
  readonly format: FormatName
  /** Whether the end says what was exported. */
  readonly hasEnd: boolean
  /** Chats that were received before. */
  readonly offset: number
  /** The last of them, in their order; empty if the walk is not to be fitted to any. */
  readonly after: readonly string[]
}

const names = ['format', 'offset', 'after', 'end'] as const

/** One is enough as long as that chat exists; each further one is for when it was deleted. */
export const mostAfter = 100

/**
 * @param text the query string after `?`, well-formed percent-encoding
 * @throws {ServiceError} `invalid_query`, one entry per bad parameter
 */
export function parseExportQuery(text: string): ExportQuery {
  const given = new Parameters(text, names)
  const format = given.oneOf('format', formatNames) ?? 'ndjson'
  const end = given.oneOf('end', ['none'])
  const offset = given.integer('offset', { least: 0, most: largestOffset, absent: 0 })
  const after = afterOf(given)
  given.refuseIfBad()
  return { format, hasEnd: end === undefined, offset, after }
}

function afterOf(given: Parameters<(typeof names)[number]>): readonly string[] {
  const text = given.text('after')
  if (text === undefined) return []
  const ids = text.split(',')
  if (ids.length > mostAfter || !ids.every(id => /^\d{1,30}$/.test(id))) {
    given.problem(
      'after',
      `Must be 1 to ${mostAfter} chat ids, comma-separated, the last one last.`
    )
  }
  if ((given.text('offset') ?? '0') === '0') {
    given.problem('offset', 'Must be above 0 with after: how many chats were received.')
  }
  return ids
}

/** The window at the offset begins with the last chat that was received. */
export function placeOf({ after, offset }: ExportQuery): Place {
  if (offset === 0) return theBeginning
  if (after.length === 0) return { offset, lastIds: [], isWhole: false, isResumed: false }
  return { offset: offset - 1, lastIds: after, isWhole: false, isResumed: true }
}
