//! The contents of the images of real programs.

use super::{Content, Recipe};
use crate::Linkage;
use crate::archive::Config;

/// What servers of files serve.
const PAGE: &str = "An oyster lays nacre around what it encloses.\n";

/// All images.
pub fn recipes() -> Vec<Recipe> {
    vec![
        Recipe {
            name: "python".into(),
            content: Content::Packages(&["python3"]),
            files: &[
                ("app/main.py", include_str!("../../../images/main.py")),
                ("app/children.py", include_str!("../../../images/children.py")),
            ],
            config: Config {
                entrypoint: words("python3"),
                cmd: words("/app/main.py"),
                env: vec![PATH.to_owned(), "LANG=C.UTF-8".to_owned()],
                working_dir: "/app".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "terminal".into(),
            content: Content::Packages(&[
                "bash",
                "bsdutils",
                "coreutils",
                "dash",
                "lsof",
                "ncurses-base",
                "procps",
                "psmisc",
                "python3",
                "sed",
            ]),
            files: &[("etc/inputrc", "set enable-bracketed-paste off\n")],
            config: Config {
                cmd: words("bash"),
                env: vec![
                    PATH.to_owned(),
                    "LANG=C.UTF-8".to_owned(),
                    "TERM=xterm".to_owned(),
                    "PS1=$ ".to_owned(),
                ],
                working_dir: "/".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "redis".into(),
            content: Content::Packages(&["redis-server"]),
            files: &[],
            config: Config {
                entrypoint: words("redis-server"),
                // No background save: that forks.
                cmd: words("--protected-mode no --appendonly no --save")
                    .into_iter()
                    .chain([String::new()])
                    .collect(),
                env: vec![PATH.to_owned()],
                working_dir: "/".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "memcached".into(),
            content: Content::Packages(&["memcached"]),
            files: &[],
            config: Config {
                entrypoint: words("memcached"),
                env: vec![PATH.to_owned()],
                working_dir: "/".to_owned(),
                user: "memcache".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "busybox".into(),
            content: Content::Packages(&["busybox-static"]),
            files: &[("etc/motd", PAGE)],
            config: Config {
                entrypoint: words("busybox"),
                cmd: words("cat /etc/motd"),
                env: vec![PATH.to_owned()],
                working_dir: "/".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "nginx".into(),
            content: Content::Packages(&["nginx-light", "dash", "coreutils", "findutils", "gettext-base"]),
            files: &[
                (
                    "entrypoint.sh",
                    include_str!("../../../images/nginx-entrypoint.sh"),
                ),
                (
                    "etc/nginx/nginx.conf.template",
                    include_str!("../../../images/nginx.conf"),
                ),
                ("docker-entrypoint.d/10-greet.sh", "echo \"greetings from $0\"\n"),
                ("srv/index.html", PAGE),
            ],
            config: Config {
                entrypoint: words("/bin/sh /entrypoint.sh"),
                cmd: words("nginx -c /tmp/nginx.conf"),
                env: vec![PATH.to_owned()],
                working_dir: "/".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "postgres".into(),
            content: Content::Packages(&["postgresql", "gosu", "dash", "coreutils", "findutils"]),
            files: &[
                (
                    "entrypoint.sh",
                    include_str!("../../../images/postgres-entrypoint.sh"),
                ),
                (
                    "docker-entrypoint-initdb.d/oyster.sql",
                    "CREATE DATABASE oyster;\n\\c oyster\nCREATE TABLE pearls (size integer);\n\
                     INSERT INTO pearls SELECT generate_series(1, 1000);\n",
                ),
            ],
            config: Config {
                entrypoint: words("/bin/sh /entrypoint.sh"),
                cmd: words("postgres"),
                env: vec![
                    PATH.to_owned(),
                    "LANG=C.UTF-8".to_owned(),
                    "POSTGRES_PASSWORD=nacre".to_owned(),
                ],
                working_dir: "/".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "mariadb".into(),
            content: Content::Packages(&[
                "mariadb-server",
                "gosu",
                "dash",
                "coreutils",
                "findutils",
                "sed",
                "grep",
                "hostname",
            ]),
            files: &[
                (
                    "entrypoint.sh",
                    include_str!("../../../images/mariadb-entrypoint.sh"),
                ),
                // It reserves 8 TiB of addresses otherwise.
            ],
            config: Config {
                entrypoint: words("/bin/sh /entrypoint.sh"),
                cmd: words("mariadbd"),
                env: vec![PATH.to_owned()],
                working_dir: "/".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "supervisor".into(),
            content: Content::Packages(&["supervisor", "dash", "coreutils"]),
            files: &[
                (
                    "etc/supervisord.conf",
                    include_str!("../../../images/supervisord.conf"),
                ),
                ("srv/index.html", PAGE),
            ],
            config: Config {
                entrypoint: words("supervisord -c /etc/supervisord.conf"),
                env: vec![PATH.to_owned(), "LANG=C.UTF-8".to_owned()],
                working_dir: "/".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "runit".into(),
            content: Content::Packages(&["runit", "busybox", "dash", "coreutils"]),
            files: &[
                (
                    "entrypoint.sh",
                    include_str!("../../../images/runit-entrypoint.sh"),
                ),
                ("srv/index.html", PAGE),
            ],
            config: Config {
                entrypoint: words("/bin/sh /entrypoint.sh"),
                env: vec![PATH.to_owned()],
                working_dir: "/".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "php-fpm".into(),
            content: Content::Packages(&["php-fpm", "dash", "coreutils"]),
            files: &[
                ("entrypoint.sh", include_str!("../../../images/php-entrypoint.sh")),
                ("srv/index.php", include_str!("../../../images/index.php")),
            ],
            config: Config {
                entrypoint: words("/bin/sh /entrypoint.sh"),
                env: vec![PATH.to_owned()],
                working_dir: "/".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "flask".into(),
            content: Content::Packages(&["gunicorn", "python3-flask"]),
            files: &[("app/flask_app.py", include_str!("../../../images/flask_app.py"))],
            config: Config {
                entrypoint: words("gunicorn"),
                cmd: words("--workers 2 --worker-tmp-dir /dev/shm flask_app:app"),
                env: vec![PATH.to_owned(), "LANG=C.UTF-8".to_owned()],
                working_dir: "/app".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "node".into(),
            content: Content::Packages(&["nodejs", "dash", "coreutils"]),
            files: &[("app/children.js", include_str!("../../../images/children.js"))],
            config: Config {
                entrypoint: words("node"),
                cmd: words("/app/children.js"),
                env: vec![PATH.to_owned()],
                working_dir: "/app".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "java".into(),
            // The program is source text, which the development kit compiles when it starts.
            content: Content::Packages(&["openjdk-17-jdk-headless", "tini", "dash"]),
            files: &[("app/Server.java", include_str!("../../../images/Server.java"))],
            config: Config {
                entrypoint: words("/usr/bin/tini -- /usr/lib/jvm/java-17-openjdk-amd64/bin/java"),
                env: vec![PATH.to_owned()],
                working_dir: "/app".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "deno".into(),
            content: Content::Npm {
                package: "@deno/linux-x64-glibc@2.9.6",
                program: "deno",
                packages: &["libc6", "libgcc-s1"],
            },
            files: &[("app/main.ts", include_str!("../../../images/main.ts"))],
            config: Config {
                entrypoint: words("/program run --allow-all /app/main.ts"),
                env: vec![PATH.to_owned()],
                working_dir: "/app".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "workerd".into(),
            content: Content::Npm {
                package: "@cloudflare/workerd-linux-64@1.20261117.1",
                program: "bin/workerd",
                packages: &["libc6", "libgcc-s1"],
            },
            files: &[
                ("app/workerd.capnp", include_str!("../../../images/workerd.capnp")),
                // It does not start without any certificate of an authority.
                (
                    "etc/ssl/certs/ca-certificates.crt",
                    include_str!("../../../images/authority.pem"),
                ),
            ],
            config: Config {
                entrypoint: words("/program"),
                cmd: words("serve /app/workerd.capnp"),
                env: vec![PATH.to_owned()],
                working_dir: "/app".to_owned(),
                ..Config::default()
            },
        },
        Recipe {
            name: "go".into(),
            content: Content::Go(include_str!("../../../images/main.go")),
            files: &[],
            config: Config {
                entrypoint: words("/program"),
                working_dir: "/".to_owned(),
                ..Config::default()
            },
        },
        guest("musl-static", "threads", Linkage::MuslStatic),
        guest("non-pie", "threads", Linkage::NoPie),
    ]
}

/// Where programs are looked for.
pub(super) const PATH: &str = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

fn guest(name: &'static str, guest: &'static str, linkage: Linkage) -> Recipe {
    Recipe {
        name: name.into(),
        content: Content::Guest(guest, linkage),
        files: &[],
        config: Config {
            entrypoint: words("/guest"),
            working_dir: "/scratch".to_owned(),
            ..Config::default()
        },
    }
}

fn words(text: &str) -> Vec<String> {
    text.split_whitespace().map(str::to_owned).collect()
}
