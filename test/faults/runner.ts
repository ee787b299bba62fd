/**
 * Goes through a table of rows of bad requests: sends each to the real process, holds every answer
 * to what is demanded, and checks that no call was spent on it and that the next caller is served
 * as if nothing had happened. What no table can say is played by a function of the row.
 */

import type { Test } from 'tap'
import { checkProblem, type Problem } from '../support/answers.ts'
import type { Answer, Conversation, Manner } from '../support/raw-socket.ts'
import type { ServiceProcess } from './service-process.ts'

/** One connection's worth of bytes. */
export interface Sent {
  readonly name: string
  readonly bytes: string | Buffer
  readonly manner?: Manner
}

/** Throws nothing: what is not as demanded is a failed assertion. */
export type Demand = (t: Test, heard: Conversation, name: string) => void

interface Numbered {
  /** As in README.md beside this file. */
  readonly row: string
  readonly priority: 1 | 2 | 3
  readonly case: string
  /** What it has to cost; without it, nothing. */
  readonly calls?: number | 'some'
}

interface TableRow extends Numbered {
  readonly send: readonly Sent[]
  readonly demanded: Demand
}

interface PlayedRow extends Numbered {
  readonly play: (t: Test, service: ServiceProcess) => Promise<void>
}

export type Row = TableRow | PlayedRow

export function runRows(t: Test, service: ServiceProcess, rows: readonly Row[]): void {
  for (const row of rows) {
    t.test(`${row.row} (P${row.priority}): ${row.case}`, async t => {
      const before = service.calls()
      if ('play' in row) await row.play(t, service)
      else await exchangeAll(t, service, row)
      const { calls = 0 } = row
      if (calls !== 'some') t.equal(service.calls() - before, calls, 'calls that it cost')
      t.equal((await service.get('/healthz')).status, 200, 'the next one is served')
    })
  }
}

async function exchangeAll(t: Test, service: ServiceProcess, { send, demanded }: TableRow) {
  t.ok(send.length > 0)
  for (const { name, bytes, manner } of send) {
    const heard = await service.send(bytes, manner)
    demanded(t, heard, name.slice(0, 120))
  }
}

/** Exactly one response, and nothing after it. */
export function only(t: Test, { answers, rest }: Conversation, name: string): Answer {
  t.same([answers.length, rest.slice(0, 200)], [1, ''], `${name}: one response`)
  return answers[0] ?? { status: 0, headers: new Headers(), body: '' }
}

export interface Refusal {
  readonly status: number
  readonly code: string
}

/** One problem, of this kind. */
export function refused(
  { status, code }: Refusal,
  further: (t: Test, problem: Problem, answer: Answer) => void = () => {}
): Demand {
  return (t, heard, name) => {
    const answer = only(t, heard, name)
    further(t, checkProblem(t, answer, { status, code }, name), answer)
  }
}

/** One answer with this status, which is a problem body if the status is an error. */
export function answered(
  statuses: readonly number[],
  further: (t: Test, answer: Answer, name: string) => void = () => {}
): Demand {
  return (t, heard, name) => {
    const answer = only(t, heard, name)
    t.ok(statuses.includes(answer.status), `${name}: ${answer.status} of ${statuses}`)
    checkAnyProblem(t, answer, name)
    further(t, answer, name)
  }
}

/** Whatever it is refused with is a problem body. */
export function checkAnyProblem(t: Test, answer: Answer, name: string): void {
  if (answer.status < 400 || answer.body === '') return
  const code = /"code":"([a-z_]+)"/.exec(answer.body)?.[1] ?? 'none'
  checkProblem(t, answer, { status: answer.status, code }, name)
}
