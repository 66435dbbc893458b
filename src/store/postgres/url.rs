//! `postgresql://user:password@host:port,host:port/database?key=value`, as libpq reads it: several hosts, IPv6 in
//! brackets, percent-encoding everywhere, and no meaning for `+`.

use super::conninfo::{ConninfoError, Settings, known};

/// Parses what follows `postgresql://`.
pub(super) fn parse(rest: &str) -> Result<Settings, ConninfoError> {
    let mut settings = Settings::new();
    let (rest, query) = match rest.split_once('?') {
        Some((rest, query)) => (rest, Some(query)),
        None => (rest, None),
    };
    let (authority, database) = match rest.split_once('/') {
        Some((authority, database)) => (authority, Some(database)),
        None => (rest, None),
    };
    // The password of a URL that was put together from a variable, most likely.
    if [database, query].into_iter().flatten().any(|part| part.contains('@')) {
        return Err(ConninfoError::BadUrl("an \"@\" stands after the first \"/\" or \"?\""));
    }
    let hosts = match authority.rsplit_once('@') {
        Some((credentials, hosts)) => {
            take_credentials(credentials, &mut settings)?;
            hosts
        }
        None => authority,
    };
    take_hosts(hosts, &mut settings)?;
    if let Some(database) = database.filter(|database| !database.is_empty()) {
        settings.insert("dbname", decode(database)?);
    }
    for pair in query.into_iter().flat_map(|query| query.split('&')) {
        take_parameter(pair, &mut settings)?;
    }
    Ok(settings)
}

fn take_credentials(text: &str, settings: &mut Settings) -> Result<(), ConninfoError> {
    let (user, password) = match text.split_once(':') {
        Some((user, password)) => (user, Some(password)),
        None => (text, None),
    };
    if !user.is_empty() {
        settings.insert("user", decode(user)?);
    }
    if let Some(password) = password.filter(|password| !password.is_empty()) {
        settings.insert("password", decode(password)?);
    }
    Ok(())
}

fn take_hosts(text: &str, settings: &mut Settings) -> Result<(), ConninfoError> {
    if text.is_empty() {
        return Ok(());
    }
    let mut hosts = Vec::new();
    let mut ports = Vec::new();
    for one in text.split(',') {
        let (host, port) = match one.strip_prefix('[') {
            Some(rest) => {
                let (host, after) =
                    rest.split_once(']').ok_or(ConninfoError::BadUrl("\"]\" is missing after an IPv6 address"))?;
                (host, after.strip_prefix(':').unwrap_or(after))
            }
            None => one.split_once(':').unwrap_or((one, "")),
        };
        hosts.push(decode(host)?);
        ports.push(decode(port)?);
    }
    if hosts.iter().any(|host| !host.is_empty()) {
        settings.insert("host", hosts.join(","));
    }
    if ports.iter().any(|port| !port.is_empty()) {
        settings.insert("port", ports.join(","));
    }
    Ok(())
}

fn take_parameter(pair: &str, settings: &mut Settings) -> Result<(), ConninfoError> {
    if pair.is_empty() {
        return Ok(());
    }
    let (key, value) = pair.split_once('=').ok_or(ConninfoError::BadUrl("a parameter after \"?\" has no \"=\""))?;
    let (key, value) = (decode(key)?, decode(value)?);
    // JDBC's spelling, which libpq takes as well.
    if key == "ssl" && value == "true" {
        settings.insert("sslmode", "require".to_owned());
        return Ok(());
    }
    settings.insert(known(&key)?, value);
    Ok(())
}

fn decode(text: &str) -> Result<String, ConninfoError> {
    const BROKEN: ConninfoError = ConninfoError::BadUrl("a percent sign is not followed by two hexadecimal digits");
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = after;
            continue;
        }
        let digits = after.get(..2).ok_or(BROKEN)?;
        let mut one = [0u8];
        hex::decode_to_slice(digits, &mut one).map_err(|_| BROKEN)?;
        if one[0] == 0 {
            return Err(ConninfoError::BadUrl("%00 cannot be part of a name"));
        }
        bytes.push(one[0]);
        rest = &after[2..];
    }
    String::from_utf8(bytes).map_err(|_| ConninfoError::BadUrl("it is not UTF-8 after decoding"))
}

#[cfg(test)]
mod tests {
    use super::super::conninfo::{ConninfoError, parse};

    #[test]
    fn a_url_gives_what_libpq_reads() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("postgresql://", &[]),
            (
                "postgres://o%27b:p%40ss@[::1]:5433,b/kb%20x?sslmode=verify-full&application_name=a+b",
                &[
                    ("application_name", "a+b"),
                    ("dbname", "kb x"),
                    ("host", "::1,b"),
                    ("password", "p@ss"),
                    ("port", "5433,"),
                    ("sslmode", "verify-full"),
                    ("user", "o'b"),
                ],
            ),
            (
                "postgresql:///kb?host=/run/pg&ssl=true",
                &[("dbname", "kb"), ("host", "/run/pg"), ("sslmode", "require")],
            ),
        ];
        for (text, expected) in cases {
            let found = parse(text).expect("it parses");
            let found: Vec<(&str, &str)> = found.iter().map(|(k, v)| (*k, v.as_str())).collect();
            assert_eq!(found, *expected, "{text}");
        }
    }

    #[test]
    fn broken_urls_are_errors() {
        for text in ["postgresql://%zz", "postgresql://[::1", "postgresql:///x?host", "postgresql://a%2"] {
            assert!(matches!(parse(text), Err(ConninfoError::BadUrl(_))), "{text}");
        }
    }
}
