/** Members of a JSON value that may be anything, read as what they ought to be. Pure. */

/**
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
export function objectOf(value) {
  return typeof value === 'object' && value !== null
    ? /** @type {Record<string, unknown>} */ (value)
    : {}
}

/**
 * @param {unknown} value
 * @returns {readonly unknown[]}
 */
export function arrayOf(value) {
  return Array.isArray(value) ? value : []
}

/** @param {unknown} value */
export function numberOf(value) {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}

/**
 * @param {unknown} value
 * @param {string} [otherwise]
 */
export function textOf(value, otherwise = '') {
  return typeof value === 'string' && value !== '' ? value : otherwise
}

/**
 * @param {unknown} value
 * @returns {(readonly [string, number])[]}
 */
export function countsOf(value) {
  return Object.entries(objectOf(value)).map(([name, count]) => [name, numberOf(count) ?? 0])
}
