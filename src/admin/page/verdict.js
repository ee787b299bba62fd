/**
 * Whether all is well, in words: what operators see first. Pure; how it looks is up to others.
 */

import { clockWords, countWords, durationWords, plural } from './words.js'

/** @typedef {import('./figures.js').Figures} Figures */

/**
 * `waiting` is before the first figures; `good`, `notice` and `bad` have a sign and a colour each.
 *
 * @typedef {{
 *   level: 'good' | 'notice' | 'bad',
 *   word: string,
 *   headline: string,
 *   remarks: readonly string[]
 * }} Verdict
 */

/** @type {Record<string, { state: string, level: 'notice' | 'bad', why: string }>} */
const hindrances = {
  held: {
    state: 'Held',
    level: 'notice',
    why: 'Calls of an earlier process may still count. What is stored is served.'
  },
  'cut-off': {
    state: 'Cut off',
    level: 'bad',
    why: 'The store that replicas share is out of reach. What is stored is served.'
  },
  paused: {
    state: 'Paused',
    level: 'bad',
    why: 'HelpCrunch answered 429. What is stored is served.'
  },
  'key-refused': {
    state: 'Key refused',
    level: 'bad',
    why: 'HelpCrunch does not accept HELPCRUNCH_API_KEY. A probe goes out now and then; what is stored is served.'
  },
  failing: {
    state: 'HelpCrunch fails',
    level: 'bad',
    why: 'Call after call has failed. One a second is tried until one succeeds; what is stored is served.'
  }
}

/**
 * @param {Figures} figures
 * @param {number} now Unix milliseconds
 * @returns {Verdict}
 */
export function verdictOf(figures, now) {
  const { budget } = figures
  const hindrance = hindranceOf(budget.mode)
  const troubles = troublesOf(figures)
  const broken = budget.maxInAnyWindow > budget.limit
  const level = broken ? 'bad' : (hindrance?.level ?? (troubles.length > 0 ? 'notice' : 'good'))
  const state = hindrance ? hindrance.state + untilWords(budget.pausedUntil, now) : 'Open'
  return {
    level,
    word: { good: 'All is well', notice: 'Worth a look', bad: 'Trouble' }[level],
    headline: `${state}: ${usedWords(budget)}`,
    remarks: [...(hindrance ? [hindrance.why] : []), ...troubles, waitingWords(figures.queue)]
  }
}

/** @param {string} mode */
function hindranceOf(mode) {
  if (mode === 'open') return undefined
  const known = Object.hasOwn(hindrances, mode) ? hindrances[mode] : undefined
  return known ?? { state: mode, level: /** @type {const} */ ('notice'), why: 'See the log.' }
}

/** @param {Figures['budget']} budget */
function usedWords({ limit, maxInAnyWindow, used, windowSeconds }) {
  const window = `the last ${countWords(windowSeconds)} s`
  return `${countWords(used)} of ${plural(limit, 'call', 'calls')} used in ${window}; most in any window ${countWords(maxInAnyWindow)}`
}

/** @param {Figures} figures */
function troublesOf({ budget, replicas }) {
  const { journalProblem, limit, maxInAnyWindow, workingLimit } = budget
  const troubles = []
  if (replicas.mode === 'alone') {
    troubles.push('The store that replicas share is out of reach: this one spends its share.')
  }
  if (maxInAnyWindow > limit) {
    troubles.push('More calls than HelpCrunch allows can have arrived in one window.')
  }
  if (workingLimit < limit) {
    const left = `${countWords(workingLimit)} of ${countWords(limit)}`
    troubles.push(`Somebody else spends from this key: ${left} calls are our allowance.`)
  }
  if (journalProblem !== '') troubles.push(`The journal of sends: ${journalProblem}`)
  return troubles
}

/** @param {Figures['queue']} queue */
function waitingWords({ length, oldestWaitSeconds }) {
  if (length === 0) return 'Nothing waits.'
  const wait = durationWords(oldestWaitSeconds)
  return length === 1
    ? `One call waits, for ${wait}.`
    : `${countWords(length)} calls wait, the oldest for ${wait}.`
}

/**
 * @param {string} date ISO 8601, or nothing
 * @param {number} now
 */
function untilWords(date, now) {
  const at = Date.parse(date)
  return at > now ? ` until ${clockWords(at)} (${durationWords((at - now) / 1000)})` : ''
}
