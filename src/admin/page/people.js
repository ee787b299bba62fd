/** Who uses the service: teams with what they spend and save, exports on their way, replicas. */

import { byId, element, say, setCells, setText, show, showItems } from './dom.js'
import { countWords, durationWords, percentWords, plural } from './words.js'

/** @typedef {import('./figures.js').Figures} Figures */

/** @param {Figures} figures */
export function showTeams({ teams }) {
  const sorted = [...teams].sort((a, b) => b.calls - a.calls || a.name.localeCompare(b.name))
  showItems(byId('teams'), sorted, { key: ({ name }) => name, make: teamRow, update: setTeam })
  const sum = (/** @type {'requests' | 'calls' | 'saved' | 'refused' | 'waiting'} */ name) =>
    teams.reduce((total, team) => total + team[name], 0)
  const total = {
    name: 'All teams',
    requests: sum('requests'),
    calls: sum('calls'),
    saved: sum('saved'),
    refused: sum('refused'),
    waiting: sum('waiting')
  }
  showItems(byId('teams-total'), teams.length > 1 ? [total] : [], {
    key: ({ name }) => name,
    make: teamRow,
    update: setTeam
  })
  show('no-teams', teams.length === 0)
}

function teamRow() {
  const name = element('th')
  name.setAttribute('scope', 'row')
  const saved = element('td', 'saved', [element('b'), ' ', element('span', 'share')])
  return element('tr', '', [
    name,
    ...[element('td'), element('td'), saved],
    ...[element('td'), element('td')]
  ])
}

/**
 * @param {Element} row
 * @param {Figures['teams'][number]} team
 */
function setTeam(row, { calls, name, refused, requests, saved, waiting }) {
  const [, , , savedCell] = row.children
  const wanted = saved + calls
  const share = wanted > 0 ? percentWords(saved / wanted) : ''
  const [count, percent] = savedCell?.children ?? []
  if (count) setText(count, countWords(saved))
  if (percent) setText(percent, share)
  const [first, second, third, , fifth, sixth] = row.children
  const cells = [first, second, third, fifth, sixth]
  const texts = [name, ...[requests, calls, refused, waiting].map(countWords)]
  for (const [index, cell] of cells.entries()) if (cell) setText(cell, texts[index] ?? '')
}

/** @param {Figures} figures */
export function showExports({ exports }) {
  showItems(byId('exports'), exports, {
    key: ({ id }) => id,
    make: () =>
      element('li', '', [
        element('span', 'who'),
        element('span', 'left'),
        element('progress', 'row'),
        element('span', 'row muted')
      ]),
    update: (item, { done, etaSeconds, id, team, total }) => {
      const [, , progress] = item.children
      const share = total > 0 ? percentWords(done / total) : ''
      const left = etaSeconds === undefined ? '' : `${durationWords(etaSeconds)} left`
      setCells(item, [team, left])
      const words = item.lastElementChild
      if (words) setText(words, `${countWords(done)} of ${countWords(total)} chats · ${share}`)
      if (!(progress instanceof HTMLProgressElement)) return
      progress.max = Math.max(total, 1)
      progress.value = Math.min(done, progress.max)
      progress.setAttribute('aria-label', `Export ${id} of ${team}`)
    }
  })
  show('no-exports', exports.length === 0)
}

/** @type {Record<string, string>} */
const modes = {
  single: 'This instance is alone.',
  joined: 'One budget for all.',
  'cut-off': 'Cut off from the store: nothing is sent.',
  alone: 'Cut off from the store: this one spends its share.'
}

/** @param {Figures} figures */
export function showReplicas({ replicas: { id: own, members, mode } }) {
  say('replicas-mode', Object.hasOwn(modes, mode) ? (modes[mode] ?? mode) : mode)
  showItems(byId('replicas'), members, {
    key: ({ id }) => id,
    make: () => element('li', '', [element('span', 'who'), element('span', 'muted')]),
    update: (item, { held, id, isSilent, seenSeconds, share }) => {
      const words = [
        ...(id === own ? ['this one'] : []),
        `holds ${plural(held, 'call', 'calls')}`,
        `${countWords(share)} if cut off`,
        ...(isSilent ? [`silent for ${durationWords(seenSeconds)}`] : [])
      ]
      setCells(item, [id, words.join(' · ')])
    }
  })
}
