# Two stages, so that npm's cache and whatever an install needs stay out of the image.
FROM node:26-bookworm-slim AS dependencies
WORKDIR /app
COPY package.json package-lock.json .npmrc ./
# No dependency that runs has an install script; the one allowed belongs to a development tool.
RUN npm ci --omit=dev --ignore-scripts

FROM node:26-bookworm-slim
# With an arena for each thread the C library keeps ever more of what was freed in small pieces.
ENV NODE_ENV=production HOST=0.0.0.0 STATE_DIR=/state MALLOC_ARENA_MAX=1
WORKDIR /app
RUN mkdir /state && chown node:node /state
VOLUME /state
COPY --from=dependencies /app/node_modules ./node_modules
COPY package.json ./
COPY src ./src
# Compiled ahead, by the user who will run it, because Node keeps a folder for each.
ENV NODE_COMPILE_CACHE=/app/node_modules/.cache/compiled
RUN mkdir node_modules/.cache && chown node:node node_modules/.cache
USER node
RUN node src/compile.ts
EXPOSE 8080
STOPSIGNAL SIGTERM
# The slim image has no curl.
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "fetch(`http://127.0.0.1:${process.env.PORT || 8080}/healthz`).then(answer => process.exit(answer.ok ? 0 : 1), () => process.exit(1))"]
CMD ["node", "src/main.ts"]
