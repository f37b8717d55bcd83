//! The certificate files that the environment names.

use hookctl::input::open_regular;
use hookctl::outside::Outside;

use crate::environment::Environment;
use crate::error::CommandError;

/// Checks the certificate files that the environment names. The TLS library would block on a FIFO.
pub(crate) fn check(environment: &Environment) -> Result<(), CommandError> {
    let variable = "SSL_CERT_FILE";
    let Some(file) = environment
        .get_lossy(variable)
        .filter(|file| !file.is_empty())
    else {
        return Ok(());
    };
    open_regular(file.as_ref()).map(drop).map_err(|error| {
        let path = Outside::text(&file);
        let message = format!("could not read the certificates in {path}: {error}");
        CommandError::new("certificates", message).hint(format!(
            "set {variable} to a file of PEM certificates, or unset it"
        ))
    })
}
