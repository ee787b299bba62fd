/**
 * Gets the chats into the part file, in as many requests as it takes: each goes on after the last
 * whole line of the one before. Complete is what ends in the service's own word for it.
 */

import { setTimeout as sleep } from 'node:timers/promises'
import type { Summary } from '../src/chats/export/formats.ts'
import { Lines } from './lines.ts'
import type { Options } from './options.ts'
import type { PartFile } from './part-file.ts'
import type { Progress } from './progress.ts'
import { causeOf, ExportError, PassingError, requestExport } from './request.ts'

/** Tries in a row that bring no further chat; fewer where nothing has come from there at all. */
const mostTries = 12
const mostFirstTries = 4

const firstPauseMs = 500
const longestPauseMs = 30_000

/** @throws {ExportError} if it cannot be had */
export async function download(
  options: Options,
  part: PartFile,
  progress: Progress
): Promise<Summary> {
  let most = mostFirstTries
  for (let tries = 1; ; tries++) {
    const before = part.count
    try {
      return await receive(options, part, progress)
    } catch (error) {
      if (!(error instanceof PassingError)) throw error
      if (part.count > before) [tries, most] = [1, mostTries]
      if (tries >= most) throw new ExportError(`${error.message}; gave up after ${tries} tries`)
      const pauseMs = Math.min(firstPauseMs * 2 ** (tries - 1), longestPauseMs)
      progress.say(`${error.message}; trying again after ${part.count} chats`)
      await sleep(Math.max(pauseMs, error.retryAfterMs))
    }
  }
}

/** One request's worth. */
async function receive(options: Options, part: PartFile, progress: Progress): Promise<Summary> {
  const answer = await requestExport(options, part.count, part.lastIds())
  progress.start(part.count, answer)
  const lines = new Lines()
  let summary: Summary | undefined
  for await (const piece of pieces(answer.body)) {
    const whole = lines.push(Buffer.from(piece))
    summary = summaryOf(whole.at(-1))
    part.append(summary ? whole.slice(0, -1) : whole)
    progress.update(part.count)
  }
  if (!summary || lines.rest.length > 0) throw new PassingError('the export ended without its end')
  if (summary.count !== part.count) {
    throw new ExportError(`${part.count} chats came where the service counts ${summary.count}`)
  }
  return summary
}

async function* pieces(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body
  } catch (error) {
    throw new PassingError(`the connection broke (${causeOf(error)})`)
  }
}

/** What the line says if it is the last one; a chat is none, whatever its members are. */
function summaryOf(line: Buffer | undefined): Summary | undefined {
  if (!line?.toString('utf8', 0, 11).startsWith('{"export":{')) return undefined
  const parsed = JSON.parse(line.toString())
  const isEnd = Object.keys(parsed).length === 1 && parsed.export.complete === true
  return isEnd ? parsed.export : undefined
}
