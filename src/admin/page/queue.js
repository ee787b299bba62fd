/** The queue: how many wait and for how long, by class and by team, and how that came to be. */

import { say, show, showPairs } from './dom.js'
import { Plot } from './plots.js'
import { countWords, durationWords } from './words.js'

/**
 * @typedef {import('./figures.js').Figures} Figures
 * @typedef {import('./past.js').Past} Past
 */

/** The rest is in `/status`. */
const mostTeams = 8

/** @param {Figures} figures */
export function showQueue({ queue }) {
  const { byClass, byTeam, length, oldestWaitSeconds } = queue
  say('waiting', countWords(length))
  say('oldest', length > 0 ? durationWords(oldestWaitSeconds) : '–')
  showPairs('by-class', byClass.map(countPair))
  const teams = byTeam.filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a)
  showPairs('by-team', teams.slice(0, mostTeams).map(countPair))
  show('by-team-none', teams.length === 0)
}

/**
 * @param {readonly [string, number]} entry
 * @returns {readonly [string, string]}
 */
function countPair([name, count]) {
  return [name, countWords(count)]
}

export class QueuePlot {
  #plot = new Plot({
    name: 'queue',
    title: 'Calls that wait, last 30 minutes',
    lines: [{ colour: '--blue', fill: '--blue-wash' }],
    most: highest => Math.max(highest, 10) * 1.06,
    tick: countWords
  })

  /** @param {Past} past */
  show(past) {
    const waiting = past.column('waiting')
    const highest = Math.max(0, ...waiting.map(count => count ?? 0))
    this.#plot.show({
      span: past.span,
      times: past.times,
      columns: [waiting],
      summary: `highest ${countWords(highest)}`,
      at: index => countWords(waiting[index] ?? undefined)
    })
  }
}
