//! What a command begins with: the configuration and the credentials, or the sandbox, and from there the services.

use std::path::Path;

#[cfg(feature = "sandbox")]
use anyhow::Context as _;

use crate::cli::DirectoryArgs;
use crate::commands::Context;
use crate::commands::session::Session;
use crate::config::{Config, Credentials, EntraLogin};
use crate::entra::{Bearer, Reader};
use crate::keycloak::Keycloak;
use crate::model::ObjectId;

/// Where the directories are and how to log in, before anything is connected.
pub struct Setup {
    /// The configuration.
    pub config: Config,
    credentials: Credentials,
    /// Keeps the simulated services alive, where they are used.
    #[cfg(feature = "sandbox")]
    sandbox: Option<crate::sandbox::Sandbox>,
}

impl Setup {
    /// Reads the configuration and the credentials, or starts the sandbox.
    #[cfg_attr(
        not(feature = "sandbox"),
        expect(
            clippy::unused_async,
            reason = "only the sandbox waits for anything here"
        )
    )]
    pub async fn prepare(
        config: &Path,
        directories: DirectoryArgs,
        context: &mut Context,
    ) -> anyhow::Result<Self> {
        #[cfg(feature = "sandbox")]
        if directories.sandbox {
            let (sandbox, config, credentials) = super::sandbox::start_seeded().await?;
            return Ok(Self {
                config,
                credentials,
                sandbox: Some(sandbox),
            });
        }
        let _ = directories;
        let config = Config::load(config, &context.variable)?;
        let credentials = Credentials::from_env(&context.variable)?;
        if let Some(logfile) = &config.logfile {
            context.ui.open_log(logfile)?;
        }
        for notice in &credentials.notices {
            context.ui.warn(notice);
        }
        Ok(Self {
            config,
            credentials,
            #[cfg(feature = "sandbox")]
            sandbox: None,
        })
    }

    /// The tenant as the environment names it, if it names it by id.
    pub fn tenant_id(&self) -> Option<ObjectId> {
        self.credentials.entra.tenant.parse().ok()
    }

    /// Logs in on both sides for some work, and out of Keycloak after it, whatever became of it.
    pub async fn with_session<T>(
        &self,
        context: &mut Context,
        work: impl AsyncFnOnce(Session, &mut Context) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let realm = &self.config.keycloak.realm;
        self.with_each(context, async |keycloak, entra, context| {
            work(Session::new(realm, keycloak?, entra?), context).await
        })
        .await
    }

    /// The same for work that goes on where a login failed.
    pub async fn with_each<T>(
        &self,
        context: &mut Context,
        work: impl AsyncFnOnce(
            anyhow::Result<Keycloak>,
            anyhow::Result<Reader>,
            &mut Context,
        ) -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let (keycloak, entra) = self.connect_each(context).await;
        let logged_in = keycloak.as_ref().ok().cloned();
        // Boxed, because it is large and stands inside of everything that a command waits for.
        let done = Box::pin(work(keycloak, entra, context)).await;
        if let Some(keycloak) = logged_in {
            keycloak.log_out().await;
        }
        done
    }

    /// Logs in to Entra alone.
    pub async fn connect_entra(&self, context: &Context) -> anyhow::Result<Reader> {
        // Boxed, because it is large and stands inside of everything that a command waits for.
        let connecting = Reader::connect(
            &self.config.entra,
            self.credentials.entra.clone(),
            context.timing.clone(),
        );
        Box::pin(connecting).await
    }

    async fn connect_each(
        &self,
        context: &Context,
    ) -> (anyhow::Result<Keycloak>, anyhow::Result<Reader>) {
        let keycloak = &self.config.keycloak;
        tokio::join!(
            Keycloak::connect(
                keycloak,
                self.credentials.keycloak.clone(),
                context.timing.clone()
            ),
            self.connect_entra(context),
        )
    }

    /// What the token for Entra says of whoever has it, even if that is too little to read anything with. `None` if there is no token.
    pub async fn bearer(&self, context: &Context) -> Option<Bearer> {
        let credentials = self.credentials.entra.clone();
        crate::entra::bearer(&self.config.entra, credentials, context.timing.clone()).await
    }

    /// What is to be logged in to Entra with.
    pub fn entra_login(&self) -> &EntraLogin {
        &self.credentials.entra.login
    }

    /// Ends what was begun for this invocation.
    #[cfg_attr(
        not(feature = "sandbox"),
        expect(
            clippy::unused_async,
            reason = "only the sandbox waits for anything here"
        )
    )]
    pub async fn finish(self) -> anyhow::Result<()> {
        #[cfg(feature = "sandbox")]
        if let Some(sandbox) = self.sandbox {
            sandbox
                .shut_down()
                .await
                .context("failed to save the state of the sandbox")?;
        }
        Ok(())
    }
}
