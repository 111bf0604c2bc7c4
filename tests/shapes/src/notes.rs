//! Notes that only users who have logged in may write and read: a page with a CSRF token, a session cookie, and ids that only
//! the answer tells. Sessions end with the process, as they do in most services.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::json;

use crate::Shape;
use crate::answer::Answer;
use crate::serve::Request;
use crate::store::Store;

/// Who has logged in, and the notes that are in memory only.
#[derive(Default)]
pub(crate) struct Notes {
    /// CSRF tokens by visit.
    tokens: Mutex<HashMap<String, String>>,
    sessions: Mutex<HashSet<String>>,
    forgettable: Mutex<HashMap<String, String>>,
    /// The note that was written last.
    last: Mutex<Option<String>>,
    count: AtomicU64,
}

impl Notes {
    /// The answer to a request for one of these pages; none for another request, or in another shape.
    pub(crate) fn answer(&self, request: &Request, shape: Shape, store: &Store) -> Option<Answer> {
        if !matches!(
            shape,
            Shape::Login | Shape::LoginForgetful | Shape::LoginTls | Shape::LoginWrongId
        ) {
            return None;
        }
        let note = request.path.strip_prefix("/notes/");
        Some(match (request.method.as_str(), request.path.as_str(), note) {
            ("GET", "/login", _) => self.form(),
            ("POST", "/login", _) => self.log_in(request),
            (_, "/notes", _) | (_, _, Some(_)) if !self.is_known(request) => {
                Answer::new("401 Unauthorized", "log in first\n")
            }
            ("POST", "/notes", _) => self.write(request, shape, store),
            ("GET", _, Some(id)) => self.read(id, shape, store),
            _ => return None,
        })
    }

    /// A value that nobody can guess from a request.
    fn unique(&self) -> String {
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let count = self.count.fetch_add(1, Ordering::Relaxed);
        format!("{:x}{count:x}", now.as_nanos())
    }

    fn form(&self) -> Answer {
        let (visit, token) = (self.unique(), self.unique());
        locked(&self.tokens).insert(visit.clone(), token.clone());
        let page =
            format!("<form method=\"post\"><input type=\"hidden\" name=\"csrf\" value=\"{token}\"></form>\n");
        Answer {
            cookies: vec![format!("visit={visit}; Path=/login; HttpOnly")],
            ..Answer::new("200 OK", page)
        }
    }

    fn log_in(&self, request: &Request) -> Answer {
        let fields: HashMap<_, _> = form_urlencoded::parse(request.body.as_bytes())
            .into_owned()
            .collect();
        let field = |name: &str| fields.get(name).map(String::as_str);
        let visit = cookie(request, "visit").unwrap_or_default();
        let token = locked(&self.tokens).remove(visit);
        if token.is_none() || token.as_deref() != field("csrf") {
            return Answer::new("403 Forbidden", "the form is out of date\n");
        }
        if (field("user"), field("password")) != (Some("ada"), Some("correct horse")) {
            return Answer::new("401 Unauthorized", "unknown user\n");
        }
        let session = self.unique();
        locked(&self.sessions).insert(session.clone());
        Answer {
            cookies: vec![
                format!("sid={session}; Path=/; HttpOnly; Secure; SameSite=Lax"),
                "visit=; Path=/login; Max-Age=0".into(),
            ],
            location: Some("/".into()),
            ..Answer::new("303 See Other", "")
        }
    }

    fn is_known(&self, request: &Request) -> bool {
        let session = cookie(request, "sid");
        session.is_some_and(|session| locked(&self.sessions).contains(session))
    }

    fn write(&self, request: &Request, shape: Shape, store: &Store) -> Answer {
        let body: serde_json::Value = serde_json::from_str(&request.body).unwrap_or_default();
        let Some(text) = body["text"].as_str() else {
            return Answer::new("400 Bad Request", "no text\n");
        };
        let id = self.unique();
        if shape == Shape::LoginForgetful {
            locked(&self.forgettable).insert(id.clone(), text.to_owned());
        } else if let Err(error) = store.put(&id, text) {
            return Answer::new("500 Internal Server Error", format!("{error}\n"));
        }
        let last = locked(&self.last).replace(id.clone());
        let told = last.filter(|_| shape == Shape::LoginWrongId).unwrap_or(id);
        Answer::new("201 Created", json!({ "note": { "id": told } }).to_string())
    }

    fn read(&self, id: &str, shape: Shape, store: &Store) -> Answer {
        let note = if shape == Shape::LoginForgetful {
            Ok(locked(&self.forgettable).get(id).cloned())
        } else {
            store.get(id)
        };
        match note {
            Ok(Some(text)) => Answer::new("200 OK", json!({ "id": id, "text": text }).to_string()),
            Ok(None) => Answer::new("404 Not Found", "no such note\n"),
            Err(error) => Answer::new("500 Internal Server Error", format!("{error}\n")),
        }
    }
}

/// The value of a cookie of the request.
fn cookie<'r>(request: &'r Request, name: &str) -> Option<&'r str> {
    let mut cookies = request
        .cookie
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    cookies.find(|(known, _)| *known == name).map(|(_, value)| value)
}

fn locked<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
