/**
 * The page's only ways to change what is seen. Text is only ever a text node, whoever wrote it; the
 * content policy (`require-trusted-types-for`) refuses everything else.
 */

/** @param {string} id */
export function byId(id) {
  const found = document.getElementById(id)
  if (!found) throw new Error(`The page has no #${id}`)
  return found
}

/**
 * Leaves the node alone if nothing changed, so that a selection and a screen reader's place stay.
 *
 * @param {string} id
 * @param {string} text
 */
export function say(id, text) {
  setText(byId(id), text)
}

/**
 * @param {Element} node
 * @param {string} text
 */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text
}

/**
 * @param {string} id
 * @param {boolean} isShown
 */
export function show(id, isShown) {
  byId(id).hidden = !isShown
}

/**
 * @param {string} tag
 * @param {string} [className]
 * @param {readonly (Element | string)[]} [children]
 */
export function element(tag, className = '', children = []) {
  const node = document.createElement(tag)
  if (className !== '') node.className = className
  node.append(...children)
  return node
}

/**
 * Children that stand for items: made when an item comes, updated while it stays, in the items'
 * order, gone when it goes.
 *
 * @template Item
 * @param {Element} parent
 * @param {readonly Item[]} items
 * @param {{
 *   key: (item: Item) => string,
 *   make: () => Element,
 *   update: (node: Element, item: Item) => void
 * }} how
 */
export function showItems(parent, items, { key, make, update }) {
  const known = new Map(Array.from(parent.children, node => [node.getAttribute('data-key'), node]))
  for (const [index, item] of items.entries()) {
    const name = key(item)
    const node = known.get(name) ?? make()
    known.delete(name)
    node.setAttribute('data-key', name)
    update(node, item)
    const there = parent.children[index]
    if (there !== node) parent.insertBefore(node, there ?? null)
  }
  for (const node of known.values()) node.remove()
}

/**
 * A list of names and numbers as `<div><dt>…</dt><dd>…</dd></div>`.
 *
 * @param {string} id
 * @param {readonly (readonly [string, string])[]} pairs
 */
export function showPairs(id, pairs) {
  showItems(byId(id), pairs, {
    key: ([name]) => name,
    make: () => element('div', '', [element('dt'), element('dd')]),
    update: (node, [name, value]) => setCells(node, [name, value])
  })
}

/**
 * @param {Element} row
 * @param {readonly string[]} texts
 */
export function setCells(row, texts) {
  for (const [index, text] of texts.entries()) {
    const cell = row.children[index]
    if (cell) setText(cell, text)
  }
}
