/**
 * Plots over the last half hour. The only file that knows uPlot. Colours are the style sheet's, read
 * when a plot is drawn, so that light and dark change while the page is open. A plot says in words
 * what it shows: as its label, and above itself for the moment that is pointed at.
 */

import uPlot from '/page/uplot/uPlot.esm.js'
import { byId, setText } from './dom.js'
import { clockWords } from './words.js'

/**
 * @typedef {(number | null)[]} Column
 * @typedef {{ colour: string, dash?: number[], fill?: string, steps?: boolean }} Line
 */

/** @param {string} name of a custom property */
function colour(name) {
  return () => getComputedStyle(document.documentElement).getPropertyValue(name)
}

const font = '11px system-ui, sans-serif'

export class Plot {
  #box
  #readout
  #plot
  #title
  #summary = ''
  /** @type {(index: number) => string} */
  #at = () => ''

  /**
   * @param {{
   *   name: string, title: string, lines: readonly Line[],
   *   most: (highest: number) => number, tick: (value: number) => string
   * }} options `most`: the top of the scale, by the highest value
   */
  constructor({ lines, most, name, tick, title }) {
    this.#box = byId(`${name}-plot`)
    this.#readout = byId(`${name}-readout`)
    this.#title = title
    this.#box.setAttribute('role', 'img')
    this.#plot = new uPlot(
      this.#options(lines, most, tick),
      [[], ...lines.map(() => [])],
      this.#box
    )
    new ResizeObserver(() => this.#resize()).observe(this.#box)
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () =>
      this.#plot.redraw(false)
    )
  }

  /**
   * @param {{
   *   span: { from: number, until: number }, times: number[], columns: Column[],
   *   summary: string, at: (index: number) => string
   * }} what `at`: what is to be said about one point; `summary`: about all of them
   */
  show({ at, columns, span, summary, times }) {
    this.#at = at
    this.#summary = summary
    this.#plot.batch(() => {
      this.#plot.setData([times, ...columns], false)
      this.#plot.setScale('x', { min: span.from / 1000, max: span.until / 1000 })
    })
    this.#box.setAttribute('aria-label', `${this.#title}: ${summary}`)
    this.#say()
  }

  #say() {
    setText(this.#readout, this.#pointedAt() ?? this.#summary)
  }

  #pointedAt() {
    const index = this.#plot.cursor.idx ?? -1
    const time = this.#plot.data[0][index]
    return time === undefined ? undefined : `${clockWords(time * 1000)}: ${this.#at(index)}`
  }

  #resize() {
    const { clientHeight: height, clientWidth: width } = this.#box
    if (width > 0 && width !== this.#plot.width) this.#plot.setSize({ width, height })
  }

  /**
   * @param {readonly Line[]} lines
   * @param {(highest: number) => number} most
   * @param {(value: number) => string} tick
   * @returns {uPlot.Options}
   */
  #options(lines, most, tick) {
    return {
      width: this.#box.clientWidth || 300,
      height: this.#box.clientHeight || 132,
      padding: [6, 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { setScale: false, x: false, y: false }, points: { show: false } },
      // The grid in front, or areas would hide it.
      drawOrder: /** @type {uPlot.DrawOrderKey[]} */ (['series', 'axes']),
      scales: { y: { range: (_, __, highest) => [0, most(highest ?? 0)] } },
      axes: [
        { ...axis, size: 26, gap: 8, space: 64, values: (_, at) => at.map(timeWords) },
        { ...axis, size: 46, space: 28, values: (_, values) => values.map(tick) }
      ],
      series: [{}, ...lines.map(seriesOf)],
      hooks: { setCursor: [() => this.#say()] }
    }
  }
}

const stepped = uPlot.paths.stepped?.({ align: 1 })

/** @satisfies {uPlot.Axis} */
const axis = {
  font,
  gap: 4,
  stroke: colour('--muted'),
  grid: { stroke: colour('--grid'), width: 1 },
  ticks: { show: false }
}

/**
 * @param {Line} line
 * @returns {uPlot.Series}
 */
function seriesOf({ colour: name, dash, fill, steps }) {
  return {
    stroke: colour(name),
    width: fill === name ? 0 : 1.5,
    points: { show: false },
    ...(dash && { dash }),
    ...(fill && { fill: colour(fill) }),
    ...(steps && stepped && { paths: stepped })
  }
}

/** @param {number} unixSeconds seconds only where there are some */
function timeWords(unixSeconds) {
  return clockWords(unixSeconds * 1000).replace(/:00$/, '')
}
