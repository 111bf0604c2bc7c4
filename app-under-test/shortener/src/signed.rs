//! Signed links, for users whose link could not be stored. They work without a store, and nobody can make one without the
//! key.
//!
//! The path is `/~PAYLOAD.MAC`, both in base64url. The payload is the code and the URL; the MAC is its HMAC-SHA256.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, Mac};
use sha2::Sha256;

use crate::link::{Code, LinkTarget};

/// The key of a service's signed links.
#[derive(Clone)]
pub struct Signer {
    key: Vec<u8>,
}

impl Signer {
    /// Signs with this secret.
    pub fn new(secret: &str) -> Self {
        Self {
            key: secret.as_bytes().to_vec(),
        }
    }

    fn mac(&self, payload: &[u8]) -> Option<Hmac<Sha256>> {
        Some(
            Hmac::<Sha256>::new_from_slice(&self.key)
                .ok()?
                .chain_update(payload),
        )
    }

    /// The path of a signed link. It depends only on the code and the URL, so a repeated request gets the same answer.
    pub fn sign(&self, code: &Code, url: &str) -> Option<String> {
        let payload = format!("{} {url}", code.as_str());
        let mac = self.mac(payload.as_bytes())?.finalize().into_bytes();
        Some(format!(
            "/~{}.{}",
            URL_SAFE_NO_PAD.encode(&payload),
            URL_SAFE_NO_PAD.encode(mac)
        ))
    }

    /// The code and target of a token (the path after `/~`); `None` when it was not signed with this key. Compares in
    /// constant time.
    pub fn verify(&self, token: &str) -> Option<(Code, LinkTarget)> {
        let (payload, mac) = token.split_once('.')?;
        let (payload, mac) = (
            URL_SAFE_NO_PAD.decode(payload).ok()?,
            URL_SAFE_NO_PAD.decode(mac).ok()?,
        );
        self.mac(&payload)?.verify_slice(&mac).ok()?;
        let payload = String::from_utf8(payload).ok()?;
        let (code, url) = payload.split_once(' ')?;
        Some((Code::new(code)?, LinkTarget::url(url)?))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn link() -> String {
        Signer::new("secret")
            .sign(&Code::new("nike").unwrap(), "https://nike.example/")
            .unwrap()
    }

    #[test]
    fn a_signed_link_leads_to_its_url() {
        let (code, to) = Signer::new("secret")
            .verify(link().strip_prefix("/~").unwrap())
            .unwrap();
        assert_eq!(
            (code.as_str(), to),
            ("nike", LinkTarget::Url("https://nike.example/".into()))
        );
    }

    #[test]
    fn a_link_signed_with_another_key_is_rejected() {
        assert_eq!(
            Signer::new("other").verify(link().strip_prefix("/~").unwrap()),
            None
        );
    }

    proptest! {
        #[test]
        fn any_change_of_a_signed_link_is_rejected(at in 0usize..200, with in prop::char::range('!', '~')) {
            let token = link().strip_prefix("/~").unwrap().to_owned();
            let at = at % token.len();
            let mut changed: Vec<char> = token.chars().collect();
            prop_assume!(changed[at] != with);
            changed[at] = with;
            let changed: String = changed.into_iter().collect();
            prop_assert_eq!(Signer::new("secret").verify(&changed), None);
        }
    }
}
