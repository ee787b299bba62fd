/**
 * `npm run export -- --out chats.ndjson`: every chat from a running service into one file. Goes on by
 * itself after a broken connection, and where it was if it is started again; the file has its name
 * only once it is complete. Exits 0 if it is, 1 if it could not be had, 2 if it was asked wrongly and
 * 130 if it was stopped.
 */

import { download } from './download.ts'
import { finish } from './finish.ts'
import { type Options, readOptions, UsageError, usage } from './options.ts'
import { PartFile } from './part-file.ts'
import { createProgress } from './progress.ts'
import { ExportError } from './request.ts'

try {
  const options = readOptions(process.argv.slice(2), process.env)
  if (options === 'help') process.stdout.write(`${usage}\n`)
  else await run(options)
} catch (error) {
  process.stderr.write(`export: ${wordsFor(error)}\n`)
  process.exitCode = error instanceof UsageError ? 2 : 1
}

async function run(options: Options): Promise<void> {
  const part = await PartFile.open(`${options.out}.part`, options.fresh)
  const progress = createProgress(process.stderr)
  process.once('SIGINT', () => {
    progress.stop()
    process.stderr.write(`export: stopped after ${part.count} chats; run it again to go on\n`)
    process.exit(130)
  })
  if (part.count > 0) progress.say(`going on after ${part.count} chats of ${part.path}`)
  try {
    const summary = await download(options, part, progress)
    progress.stop()
    await finish(options, part, summary)
    process.stderr.write(`export: ${summary.count} chats in ${options.out}\n`)
  } finally {
    progress.stop()
    part.close()
  }
}

/** A stack only where nobody foresaw the error. */
function wordsFor(error: unknown): string {
  const { code, message, stack } = error as NodeJS.ErrnoException
  const isForeseen = error instanceof UsageError || error instanceof ExportError || code
  return isForeseen ? message : (stack ?? String(error))
}
