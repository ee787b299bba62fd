/** The cache: what its answers were, now and over time, and how full it is. */

import { byId, element, say, setText, showItems } from './dom.js'
import { Plot } from './plots.js'
import { byteWords, countWords, percentWords } from './words.js'

/**
 * @typedef {import('./figures.js').Figures} Figures
 * @typedef {import('./past.js').Past} Past
 * @typedef {import('./past.js').Shares} Shares
 */

/**
 * From the top of the plot to its bottom, which is also their order in the table.
 *
 * @type {readonly (readonly [keyof Shares, string, 'misses' | 'collapsed' | 'stale' | 'hits'])[]}
 */
const outcomes = [
  ['miss', 'Miss: a call was made', 'misses'],
  ['collapsed', 'Collapsed: shared a call', 'collapsed'],
  ['stale', 'Stale: refreshed behind', 'stale'],
  ['fresh', 'Fresh', 'hits']
]

/**
 * @param {Figures} figures
 * @param {Past} past
 */
export function showCache({ cache }, past) {
  say('hit-ratio', percentWords(cache.hitRatio))
  say('bytes', byteWords(cache.bytes))
  say('of-bytes', cache.maxBytes === undefined ? '' : `of ${byteWords(cache.maxBytes)}`)
  say('entries', countWords(cache.entries))
  say('evictions', countWords(cache.evictions))
  const shares = past.shares.at(-1)
  showItems(byId('outcomes'), outcomes, {
    key: ([name]) => name,
    make: outcomeRow,
    update: (row, [name, words, counter]) => {
      const [label, recent, count] = row.children
      if (label?.lastElementChild) setText(label.lastElementChild, words)
      label?.firstElementChild?.setAttribute('data-outcome', name)
      if (recent) setText(recent, percentWords(shares?.[name]))
      if (count) setText(count, countWords(cache[counter]))
    }
  })
}

function outcomeRow() {
  const label = element('th', '', [element('span', 'swatch'), element('span')])
  label.setAttribute('scope', 'row')
  return element('tr', '', [label, element('td'), element('td')])
}

export class CachePlot {
  #plot = new Plot({
    name: 'cache',
    title: 'Answers by what the cache did, last 30 minutes',
    lines: outcomes.map(([name]) => ({ colour: `--${name}`, fill: `--${name}` })),
    most: () => 1,
    tick: percentWords
  })

  /** @param {Past} past */
  show(past) {
    const shares = past.shares
    const latest = shares.at(-1)
    this.#plot.show({
      span: past.span,
      times: past.times,
      // Each area covers what lies below it, so the whole comes first.
      columns: outcomes.map((_, index) => shares.map(share => heightOf(share, index))),
      summary: latest ? shareWords(latest) : 'no answers in the last minute',
      at: index => (shares[index] ? shareWords(shares[index]) : 'no answers')
    })
  }
}

/**
 * @param {Shares | undefined} shares
 * @param {number} index
 */
function heightOf(shares, index) {
  if (!shares) return null
  return outcomes.slice(index).reduce((sum, [name]) => sum + shares[name], 0)
}

/** @param {Shares} shares */
function shareWords(shares) {
  return outcomes
    .map(([name]) => `${name} ${percentWords(shares[name])}`)
    .reverse()
    .join(', ')
}
