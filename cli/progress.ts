/** A bar for people who watch, and a line for whatever else has to be said; nothing for log files. */

import { type Options as BarOptions, SingleBar } from 'cli-progress'

export interface Progress {
  start(count: number, plan: { readonly total: number; readonly estimateMs: number }): void
  update(count: number): void
  say(words: string): void
  stop(): void
}

const barOptions: BarOptions = {
  format: '{bar} {percentage}% | {value}/{total} chats | {rate}/s | {left} left',
  hideCursor: true,
  clearOnComplete: true
}

export function createProgress(stream: NodeJS.WriteStream): Progress {
  const say = (words: string) => void stream.write(`export: ${words}\n`)
  if (!stream.isTTY) return { start: () => {}, update: () => {}, say, stop: () => {} }
  const bar = new SingleBar({ ...barOptions, stream })
  let begun = { at: 0, count: 0, estimateMs: 0, total: 0 }
  const shown = (count: number) => {
    const soFarMs = performance.now() - begun.at
    return pace({ ...begun, count, given: count - begun.count, soFarMs })
  }
  return {
    start(count, plan) {
      begun = { at: performance.now(), count, ...plan }
      bar.start(plan.total, count, shown(count))
    },
    update: count => bar.update(count, shown(count)),
    say(words) {
      bar.stop()
      say(words)
    },
    stop: () => bar.stop()
  }
}

interface SoFar {
  readonly total: number
  readonly count: number
  /** Of them, those of this request. */
  readonly given: number
  readonly soFarMs: number
  /** What the service planned for this request. */
  readonly estimateMs: number
}

/**
 * Chats a second, and the time left: by the service's plan, which knows that the first calls are
 * quick and the others wait for the budget; or by what was seen, if that is slower.
 */
export function pace({ total, count, given, soFarMs, estimateMs }: SoFar) {
  const toGo = Math.max(total - count, 0)
  const planned = given + toGo > 0 ? (estimateMs * toGo) / (given + toGo) : 0
  const seen = given > 0 ? (soFarMs * toGo) / given : 0
  const rate = soFarMs > 0 ? Math.round((given * 1000) / soFarMs) : 0
  return { rate, left: duration(Math.max(planned, seen)) }
}

function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000)
  const two = (value: number) => String(value).padStart(2, '0')
  const minutes = Math.floor(seconds / 60)
  return minutes < 60
    ? `${minutes}:${two(seconds % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(seconds % 60)}`
}
