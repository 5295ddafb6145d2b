// Delivers the payload as often as the header field `times` says, without a network. The clock of a Worker stands still
// meanwhile: whoever asks measures.
import { env } from 'cloudflare:workers';
import { open } from '@preamp/exporter';

const exporter = await open(env.PREAMP, {
  credentials: () => ({ accessKeyId: 'id', secretAccessKey: 'secret' }),
  fetch: async () => new Response(null, { status: 200 }),
});

export default {
  async fetch(request) {
    const payload = new Uint8Array(await request.arrayBuffer());
    const times = Number(request.headers.get('times') ?? 1);
    let points = 0;
    for (let time = 0; time < times; time++) points += (await exporter.deliver(payload)).delivered;
    return new Response(String(points));
  },
};
