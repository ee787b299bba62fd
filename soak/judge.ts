/**
 * Judges every exchange by what is promised: true and no older than allowed, refused only for a
 * reason, settled in time. Keeps count, and says what is broken.
 */

import type { ErrorCode } from '../src/errors.ts'
import type { Arrivals } from './arrivals.ts'
import type { Chronicle, Effect } from './chronicle.ts'
import { queueWaitMs, upstreamTimeoutMs } from './conditions.ts'
import { type Answered, codeOf, type Exchange } from './exchange.ts'
import { judgeExport } from './export-truth.ts'
import type { Exported } from './exporter.ts'
import type { History } from './history.ts'
import { leaksIn } from './leaks.ts'
import type { Pressure } from './pressure.ts'
import { falsehood, forbiddenAge, isOverdue, sourceOf } from './truth.ts'

export interface JudgeOptions {
  readonly history: History
  readonly arrivals: Arrivals
  readonly chronicle: Chronicle
  readonly pressure: Pick<Pressure, 'lostMs'>
  /** What is told of an instant: seconds of the run. */
  readonly secondOf: (at: number) => string
  readonly onBroken: (what: string) => void
}

/** What passes between a caller and an instance takes a moment as well. */
const marginMs = 1500

/** An export of this size takes a few seconds, or some more while nothing is sent. */
const exportWithinMs = 180_000

export class Judge {
  /** How often each thing was answered: where it came from, or the code. */
  readonly answers: Record<string, number> = {}
  /** By code, what explained it. */
  readonly reasons: Record<string, Record<string, number>> = {}
  readonly exports = { complete: 0, brokenOff: 0, refused: 0 }
  /** Requests made while nothing would have excused a refusal. */
  inCalm = 0
  longestMs = 0
  /** Longest, less what the machine or a trouble took away. */
  longestNetMs = 0
  readonly #options: JudgeOptions

  constructor(options: JudgeOptions) {
    this.#options = options
  }

  /** Everything that happened until its end has to be known. */
  judge(exchange: Exchange): void {
    this.#judgeTime(exchange)
    if (!this.#hasReason({ ...exchange, effect: 'budget_exhausted' })) this.inCalm++
    const { outcome } = exchange
    if (outcome.kind === 'failed') {
      this.#count(`nobody answered (${outcome.code})`)
      const effect = outcome.during === 'head' ? 'no answer' : 'broken body'
      this.#needReason(exchange, effect, `${outcome.code}: ${effect}`)
    } else if ([200, 304, 404].includes(outcome.status)) {
      this.#judgeAnswer(exchange)
    } else {
      const code = codeOf(outcome.body)
      this.#count(code ?? String(outcome.status))
      for (const leak of leaksIn(outcome.body)) this.#broken(exchange, `${code} tells ${leak}`)
      if (code === undefined) this.#broken(exchange, `${outcome.status} without a problem`)
      else this.#needReason(exchange, code as ErrorCode, `${outcome.status} ${code}`)
    }
  }

  judgeExport(exported: Exported): void {
    const { body, ended, endedAt, instance, startedAt, status } = exported
    const complaint = { startedAt, endedAt, instance }
    const say = (what: string) =>
      this.#options.onBroken(
        `export from ${instance} at ${this.#options.secondOf(startedAt)} s: ${what}`
      )
    if (endedAt - startedAt > exportWithinMs + this.#awayMs(complaint)) say('it took too long')
    if (status !== 200) {
      this.exports.refused++
      const effect = status === 0 ? 'no answer' : ((codeOf(body) ?? 'internal_error') as Effect)
      if (!this.#hasReason({ ...complaint, effect })) say(`${effect} without a reason`)
      return
    }
    const { complete, wrong } = judgeExport(this.#options.history, {
      ...{ startedAt, endedAt, body, ended },
      allowanceMs: marginMs + this.#awayMs(complaint)
    })
    if (complete) this.exports.complete++
    else this.exports.brokenOff++
    if (wrong !== undefined) say(wrong)
    const reasons = ['broken body', 'shutting_down', 'budget_exhausted'] as const
    const isExplained = reasons.some(effect => this.#hasReason({ ...complaint, effect }))
    if (!complete && !isExplained) say('broken off without a reason')
  }

  #judgeTime(exchange: Exchange): void {
    const { endedAt, question, startedAt } = exchange
    const ms = endedAt - startedAt
    const netMs = ms - this.#awayMs(exchange)
    this.longestMs = Math.max(this.longestMs, ms)
    this.longestNetMs = Math.max(this.longestNetMs, netMs)
    const promisedMs = (question.waitMs ?? queueWaitMs) + upstreamTimeoutMs
    if (netMs <= promisedMs + marginMs) return
    this.#broken(
      exchange,
      `settled after ${ms.toFixed()} ms, of which ${netMs.toFixed()} were ours`
    )
  }

  #judgeAnswer(exchange: Exchange): void {
    const { endedAt, outcome: answer, question, startedAt } = exchange
    if (answer.kind !== 'answered') return
    const source = sourceOf(answer)
    this.#count(answer.status === 304 ? `${source}, 304` : source)
    const allowanceMs = marginMs + this.#awayMs(exchange) + this.#asleepMs(exchange, answer)
    const { subject } = question
    const wrong =
      falsehood(this.#options.history, { subject, startedAt, endedAt, answer, allowanceMs }) ??
      forbiddenAge(answer)
    if (wrong !== undefined) this.#broken(exchange, `${answer.status} ${source}: ${wrong}`)
    if (!isOverdue(answer)) return
    this.#count('of these, older than may be served while all is well')
    const age = `an answer of ${answer.ageSeconds} s ago (${answer.cacheStatus})`
    // It may say what it stands in for; whatever stands in the way of a call makes calls scarce.
    const said = / detail=(\w+)/.exec(answer.cacheStatus)?.[1] as Effect | undefined
    const isSaid = said !== undefined && this.#hasReason({ ...exchange, effect: said })
    this.#needReason(exchange, isSaid ? said : 'budget_exhausted', age)
  }

  #needReason(exchange: Exchange, effect: Effect, what: string): void {
    const reason = this.#reasonFor({ ...exchange, effect })
    if (reason === undefined) {
      this.#broken(exchange, `${what}, unexplained`)
      return
    }
    const reasons = this.reasons[effect] ?? {}
    this.reasons[effect] = { ...reasons, [reason]: (reasons[reason] ?? 0) + 1 }
  }

  #hasReason(complaint: Parameters<Chronicle['explains']>[0]): boolean {
    return this.#reasonFor(complaint) !== undefined
  }

  #reasonFor(complaint: Parameters<Chronicle['explains']>[0]): string | undefined {
    const incident = this.#options.chronicle.explains(complaint)
    if (incident) return incident.name
    const isBusy =
      complaint.effect === 'budget_exhausted' &&
      this.#options.arrivals.wasBusy(complaint.startedAt, complaint.endedAt)
    return isBusy ? 'the window was nearly full' : undefined
  }

  #awayMs({ endedAt, instance, startedAt }: Pick<Exchange, 'instance' | 'startedAt' | 'endedAt'>) {
    const { chronicle, pressure } = this.#options
    return chronicle.awayMs(instance, startedAt, endedAt) + pressure.lostMs(startedAt, endedAt)
  }

  /** What was on its way while an instance stood still is older than that one knows. */
  #asleepMs({ startedAt }: Exchange, { ageSeconds = 0 }: Answered): number {
    const { chronicle, pressure } = this.#options
    const from = startedAt - 1000 * (ageSeconds + 1) - upstreamTimeoutMs - marginMs
    return chronicle.suspendedMs(from, startedAt) + pressure.lostMs(from, startedAt)
  }

  #count(what: string): void {
    this.answers[what] = (this.answers[what] ?? 0) + 1
  }

  #broken({ instance, question, startedAt, team }: Exchange, what: string): void {
    const at = this.#options.secondOf(startedAt)
    const asked = `${team} asked ${instance} for ${question.path} at ${at} s`
    this.#options.onBroken(`${what} (${asked})`)
  }
}
