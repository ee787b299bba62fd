/** Joins the page: what comes from the service goes to whoever shows it. */

import { BudgetPlot, showBudget } from './budget.js'
import { CachePlot, showCache } from './cache.js'
import { byId, element, say, setText, showItems } from './dom.js'
import { figuresOf } from './figures.js'
import { offerInvalidation } from './invalidate.js'
import { connect } from './live.js'
import { Past } from './past.js'
import { showExports, showReplicas, showTeams } from './people.js'
import { QueuePlot, showQueue } from './queue.js'
import { LatencyPlot, showUpstream } from './upstream.js'
import { verdictOf } from './verdict.js'
import { clockWords, durationWords } from './words.js'

/** @typedef {import('./figures.js').Figures} Figures */

const signs = { good: '✓', notice: '!', bad: '✕' }

const past = new Past()
const plots = [new BudgetPlot(), new QueuePlot(), new CachePlot(), new LatencyPlot()]
/** @type {string | undefined} */
let version
let title = 'helpcrunch-proxy'
let pastIsNew = false

/** @param {unknown} status */
function showStatus(status) {
  const figures = figuresOf(status)
  // This page belongs to the version that sent it.
  version ??= figures.service.version
  if (figures.service.version !== version) return location.reload()
  showService(figures)
  showVerdict(figures)
  for (const view of [showBudget, showQueue, showUpstream, showTeams, showExports, showReplicas]) {
    view(figures)
  }
  showCache(figures, past)
  if (pastIsNew) for (const plot of plots) plot.show(past, figures)
  pastIsNew = false
}

/** @param {Figures} figures */
function showService({ service }) {
  const { instance, uptimeSeconds } = service
  const parts = [
    instance,
    service.version && `version ${service.version}`,
    uptimeSeconds === undefined ? '' : `up ${durationWords(uptimeSeconds)}`
  ]
  say('service', parts.filter(part => part !== '').join(' · '))
}

/** @param {Figures} figures */
function showVerdict(figures) {
  const { headline, level, remarks, word } = verdictOf(figures, Date.now())
  byId('verdict').dataset.level = level
  say('sign', signs[level])
  say('level', word)
  say('headline', headline)
  showItems(byId('remarks'), remarks, {
    key: remark => String(remarks.indexOf(remark)),
    make: () => element('li'),
    update: setText
  })
  const [state = ''] = headline.split(/:| until/, 1)
  // Numbers change every second; who cannot see them is told when the state does.
  say('announcer', `${word}. ${state}.`)
  const { limit, used } = figures.budget
  title = `${level === 'good' ? '' : `${signs[level]} `}${used}/${limit} · helpcrunch-proxy`
}

/**
 * @param {boolean} isLive
 * @param {number | undefined} heardAt
 */
function showLive(isLive, heardAt) {
  const state = isLive ? 'live' : heardAt === undefined ? 'connecting' : 'lost'
  const words = {
    live: 'Live',
    connecting: 'Connecting…',
    lost: `Not live: these figures are of ${clockWords(heardAt ?? 0)}. Connecting…`
  }
  byId('live').dataset.state = state
  document.body.dataset.live = state
  say('live-words', words[state])
  if (state === 'lost') say('announcer', 'Not live.')
  document.title = state === 'lost' ? 'Not live · helpcrunch-proxy' : title
}

offerInvalidation()
connect({
  onOpen: () => past.clear(),
  onHistory: history => {
    past.add(history)
    pastIsNew = true
  },
  onStatus: showStatus,
  onLive: showLive
})
