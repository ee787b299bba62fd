/** The upstream: how long it takes, what it answers, and its latest errors in words. */

import { byId, element, say, setText, show, showItems, showPairs } from './dom.js'
import { Plot } from './plots.js'
import { clockWords, countWords, durationWords } from './words.js'

/**
 * @typedef {import('./figures.js').Figures} Figures
 * @typedef {import('./past.js').Past} Past
 */

const mostErrors = 5

/** @param {Figures} figures */
export function showUpstream({ upstream }) {
  const { byStatus, calls, errors, latencyP50, latencyP99 } = upstream
  say('p50', durationWords(latencyP50))
  say('p99', durationWords(latencyP99))
  say('calls', countWords(calls))
  showPairs(
    'by-status',
    byStatus.map(([status, count]) => [status, countWords(count)])
  )
  const latest = errors.slice(0, mostErrors)
  showItems(byId('errors'), latest, {
    key: ({ at, code, detail }) => `${at} ${code} ${detail}`,
    make: () => element('li', '', [element('time'), element('span', 'code'), element('span')]),
    update: (item, { at, code, detail }) => {
      const [time, name, words] = item.children
      const instant = Date.parse(at)
      time?.setAttribute('datetime', at)
      if (time) setText(time, Number.isNaN(instant) ? '' : clockWords(instant))
      if (name) setText(name, code)
      if (words) setText(words, detail)
    }
  })
  show('no-errors', latest.length === 0)
}

export class LatencyPlot {
  #plot = new Plot({
    name: 'latency',
    title: 'Time until HelpCrunch answered, last 30 minutes',
    lines: [{ colour: '--blue' }, { colour: '--orange', dash: [5, 4] }],
    most: highest => Math.max(highest, 0.05) * 1.1,
    tick: seconds => (seconds === 0 ? '0' : durationWords(seconds))
  })

  /** @param {Past} past */
  show(past) {
    const half = past.column('latencyP50')
    const most = past.column('latencyP99')
    const highest = Math.max(0, ...most.map(seconds => seconds ?? 0))
    this.#plot.show({
      span: past.span,
      times: past.times,
      columns: [half, most],
      summary: highest > 0 ? `highest ${durationWords(highest)}` : 'no calls yet',
      at: index =>
        `${durationWords(half[index] ?? undefined)}, 99 % ${durationWords(most[index] ?? undefined)}`
    })
  }
}
