/**
 * Figures as people read them. Pure: no document, no clock, no locale but the one given here.
 */

const unknown = '–'

/** @param {number | undefined} count */
export function countWords(count) {
  return count === undefined ? unknown : Math.round(count).toLocaleString('en-US')
}

/**
 * @param {number} count
 * @param {string} one
 * @param {string} many
 */
export function plural(count, one, many) {
  return `${countWords(count)} ${count === 1 ? one : many}`
}

/** @param {number | undefined} seconds as short as a call, or as long as a year */
export function durationWords(seconds) {
  if (seconds === undefined || !Number.isFinite(seconds)) return unknown
  if (seconds < 0.0005) return '0 ms'
  if (seconds < 0.9995) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 9.95) return `${Number(seconds.toFixed(1))} s`
  if (seconds < 119.5) return `${Math.round(seconds)} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 120) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48
    ? `${hours} h ${minutes % 60} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

/** @param {number | undefined} bytes */
export function byteWords(bytes) {
  if (bytes === undefined) return unknown
  const units = ['B', 'kB', 'MB', 'GB']
  let value = bytes
  let unit = 0
  while (value >= 999.5 && unit < units.length - 1) {
    value /= 1024
    unit++
  }
  return `${unit === 0 || value >= 99.5 ? Math.round(value) : value.toPrecision(2)} ${units[unit]}`
}

/** @param {number | undefined} share of 1 */
export function percentWords(share) {
  if (share === undefined || !Number.isFinite(share)) return unknown
  // Nearly all is not all, and hardly any is not none.
  const percent = share * 100
  if (percent > 99.5 && percent < 100) return `${(Math.floor(percent * 10) / 10).toFixed(1)} %`
  if (percent > 0 && percent < 0.5) return '< 1 %'
  return `${Math.round(percent)} %`
}

/** @param {number} unixMs */
export function clockWords(unixMs) {
  const two = (/** @type {number} */ part) => String(part).padStart(2, '0')
  const date = new Date(unixMs)
  return [date.getHours(), date.getMinutes(), date.getSeconds()].map(two).join(':')
}
