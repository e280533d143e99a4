// better-auth with better-auth-telegram, as their documents set it up, on a plain Node server.
import { createServer } from "node:http";
import { Redis } from "@upstash/redis";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { toNodeHandler } from "better-auth/node";
import { telegram } from "better-auth-telegram";

// better-auth hands over strings and parses them itself; it also stays silent about who uses it.
const redis = new Redis({
  url: process.env.UPSTASH_REDIS_REST_URL,
  token: process.env.UPSTASH_REDIS_REST_TOKEN,
  automaticDeserialization: false,
  enableTelemetry: false,
});

const auth = betterAuth({
  baseURL: process.env.ORIGIN,
  // Whom it has logged in. In memory this costs nothing, which a real database would.
  database: memoryAdapter({ user: [], account: [], session: [], verification: [] }),
  plugins: [telegram({ botToken: process.env.TELEGRAM_BOT_TOKEN, botUsername: "benchmark_bot" })],
  // On by default in production. Off, it costs no round trip, and nothing ends at a hundred requests.
  rateLimit: { enabled: process.env.RATE_LIMIT === "1" },
  secondaryStorage: {
    get: (key) => redis.get(key),
    set: (key, value, ttl) => redis.set(key, value, ttl ? { ex: ttl } : undefined),
    delete: async (key) => {
      await redis.del(key);
    },
    getAndDelete: (key) => redis.getdel(key),
    increment: async (key, ttl) => {
      const [, count] = await redis.multi().set(key, 0, { ex: ttl, nx: true }).incr(key).exec();
      return count;
    },
  },
});

const server = createServer(toNodeHandler(auth)).listen(0, "127.0.0.1", () => {
  console.log(`port ${server.address().port}`);
});
