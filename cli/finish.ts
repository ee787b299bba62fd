/** Turns the part file into the one that was asked for, and only then gives it its name. */

import { rename, rm, writeFile } from 'node:fs/promises'
import { type Format, formats, type Summary } from '../src/chats/export/formats.ts'
import type { Options } from './options.ts'
import type { PartFile } from './part-file.ts'

export async function finish(options: Options, part: PartFile, summary: Summary): Promise<void> {
  const { format, hasEnd, out } = options
  const whole = `${out}.whole`
  const end = hasEnd ? summary : undefined
  await writeFile(whole, bodyOf(formats[format], part, end), { flush: true })
  await rename(whole, out)
  part.close()
  await rm(part.path)
}

/** What the service's own body in this format would be. */
async function* bodyOf(format: Format, part: PartFile, end: Summary | undefined) {
  yield format.start(false)
  let isFirst = true
  for await (const chats of part.chats()) {
    if (chats.length === 0) continue
    yield format.chats(chats, isFirst)
    isFirst = false
  }
  yield format.end(end)
}
