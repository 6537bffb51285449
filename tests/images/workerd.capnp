using Workerd = import "/workerd/workerd.capnp";

const config :Workerd.Config = (
    services = [(name = "main", worker = (
        serviceWorkerScript =
            "addEventListener('fetch', event => event.respondWith(new Response('nacre '.repeat(2))))",
        compatibilityDate = "2026-11-01"))],
    sockets = [(name = "http", address = "127.0.0.1:80", http = (), service = "main")]);
