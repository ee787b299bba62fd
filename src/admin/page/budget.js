/** The budget: a gauge of the window as it is now, with its scale and marks, and how it came to be. */

import { byId, element, say, setText, showItems } from './dom.js'
import { Plot } from './plots.js'
import { countWords } from './words.js'

/**
 * @typedef {import('./figures.js').Figures} Figures
 * @typedef {import('./past.js').Past} Past
 */

/** @param {Figures} figures */
export function showBudget({ budget }) {
  const { inFlight, limit, maxInAnyWindow, used, windowSeconds, workingLimit } = budget
  say('used', countWords(used))
  say('of-limit', `of ${countWords(limit)} in ${countWords(windowSeconds)} s`)
  say('most', countWords(maxInAnyWindow))
  say('in-flight', countWords(inFlight))
  say('working-limit', countWords(workingLimit))
  const percent = (/** @type {number} */ calls) =>
    `${limit > 0 ? Math.min((100 * calls) / limit, 100).toFixed(2) : 0}%`
  byId('gauge-used').style.width = percent(used)
  byId('gauge-taken').style.width = percent(limit - workingLimit)
  byId('gauge-most').style.left = percent(maxInAnyWindow)
  byId('gauge').dataset.level = used >= workingLimit ? 'full' : 'open'
  const meter = /** @type {HTMLMeterElement} */ (byId('meter'))
  meter.max = Math.max(limit, 1)
  meter.value = used
  showScale(limit)
}

/** @param {number} limit */
function showScale(limit) {
  const quarters = limit > 0 ? [0, 1, 2, 3, 4].map(part => Math.round((limit * part) / 4)) : []
  showItems(byId('gauge-scale'), [...new Set(quarters)], {
    key: String,
    make: () => element('span'),
    update: (node, calls) => {
      setText(node, countWords(calls))
      if (node instanceof HTMLElement) node.style.left = `${(100 * calls) / limit}%`
    }
  })
}

export class BudgetPlot {
  #plot
  #limit = 1

  constructor() {
    this.#plot = new Plot({
      name: 'budget',
      title: 'Calls used in the window, last 30 minutes',
      lines: [
        { colour: '--blue', fill: '--blue-wash' },
        { colour: '--limit', dash: [5, 4], steps: true }
      ],
      most: highest => Math.max(highest, this.#limit) * 1.06,
      tick: countWords
    })
  }

  /**
   * @param {Past} past
   * @param {Figures} figures
   */
  show(past, { budget }) {
    this.#limit = budget.limit
    const used = past.column('used')
    const allowed = past.column('workingLimit')
    const highest = Math.max(0, ...used.map(count => count ?? 0))
    this.#plot.show({
      span: past.span,
      times: past.times,
      columns: [used, allowed],
      summary: `highest ${countWords(highest)}; dashed: allowance`,
      at: index =>
        `${countWords(used[index] ?? undefined)} of ${countWords(allowed[index] ?? undefined)}`
    })
  }
}
