// A Worker that takes OTLP/HTTP at /v1/metrics, and delivers it. Its environment has PREAMP, the configuration, and the
// secrets AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and, if there is one, AWS_SESSION_TOKEN.
import { env } from 'cloudflare:workers';
import { open } from '@preamp/exporter';

const exporter = await open(env.PREAMP, {
  credentials: () => ({
    accessKeyId: env.AWS_ACCESS_KEY_ID,
    secretAccessKey: env.AWS_SECRET_ACCESS_KEY,
    sessionToken: env.AWS_SESSION_TOKEN,
  }),
});

export default {
  async fetch(request, _env, context) {
    if (new URL(request.url).pathname !== '/v1/metrics') return new Response('metrics are taken at /v1/metrics', { status: 404 });
    if (request.method !== 'POST') return new Response('metrics are sent by POST', { status: 405, headers: { allow: 'POST' } });
    const field = (name) => request.headers.get(name) ?? '';
    const head = { contentType: field('content-type'), contentEncoding: field('content-encoding') };
    const delivery = exporter.deliver(new Uint8Array(await request.arrayBuffer()), head);
    // A sender that hangs up stops nothing.
    context.waitUntil(delivery.catch(() => {}));
    try {
      const { status, headers, body, explanations } = await delivery;
      for (const { reason, detail, remedy } of explanations) console.error(`${reason}: ${detail}; ${remedy}`);
      return new Response(body, { status, headers: headers.map(({ name, value }) => [name, value]) });
    } catch (error) {
      console.error(error.message);
      return new Response(error.message, { status: 500 });
    }
  },
};
