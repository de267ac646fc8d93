"""The window, which draws a game and passes pressed keys on to it."""

import os
from typing import Any

import numpy as np

from gc_envs.play.game import FAINT, TEXT, Game, Line

NO_SCREEN = ("dummy", "offscreen")  # the drivers that SDL falls back on
PANEL_WIDTH, MARGIN, ROW, FONT_SIZE = 480, 16, 19, 20
GOAL_ROWS = 18  # smallest number of rows above the keys
BACKGROUND = (24, 26, 31)


class Window:
    """A pygame window that shows a game: the frame on the left, the panel on the right."""

    def __init__(self, title: str) -> None:
        import pygame

        self.pygame = pygame
        self.scales = {pygame.KMOD_SHIFT: 1 / 3, pygame.KMOD_ALT: 1 / 10}  # of a move while these keys are down
        os.environ.setdefault("SDL_FRAMEBUFFER_ACCELERATION", "0")  # SDL's OpenGL would end that of MuJoCo's frames
        pygame.display.init()
        if pygame.display.get_driver() in NO_SCREEN and "SDL_VIDEODRIVER" not in os.environ:
            raise pygame.error("no display found")  # instead of waiting for keys that nobody can press
        pygame.font.init()
        pygame.display.set_caption(title)
        self.font = pygame.font.Font(None, FONT_SIZE)
        self.surface = pygame.display.set_mode((480 + PANEL_WIDTH, 510))  # its size until the first frame
        pygame.key.set_repeat(250, 90)

    def show_message(self, text: str) -> None:
        """Show `text` and nothing else."""
        self.surface.fill(BACKGROUND)
        self._write([(text, TEXT)], MARGIN, MARGIN)
        self.pygame.display.flip()
        self.pygame.event.pump()  # some systems show nothing until events are processed

    def draw(self, game: Game) -> None:
        """Show the current state of the game."""
        frame = np.asarray(game.env.render())
        keys = game.keys.labels(game.page)
        half = -(-len(keys) // 2)
        size = (frame.shape[1] + PANEL_WIDTH, max(frame.shape[0], 510, (half + GOAL_ROWS) * ROW))
        if self.surface.get_size() != size:
            self.surface = self.pygame.display.set_mode(size)
        self.surface.fill(BACKGROUND)
        self.surface.blit(self.pygame.surfarray.make_surface(frame.swapaxes(0, 1)), (0, 0))
        left, keys_top = frame.shape[1] + MARGIN, size[1] - MARGIN - half * ROW
        lines, room = game.panel(), keys_top // ROW - 1
        if len(lines) > room:
            lines = [*lines[: room - 1], (f"  and {len(lines) - room + 1} more", FAINT)]
        self._write(lines, left, MARGIN)
        for labels in (keys[:half], keys[half:]):
            for column, colour, gap in ((0, TEXT, 12), (1, FAINT, 24)):
                self._write([(label[column], colour) for label in labels], left, keys_top)
                left += max(self.font.size(label[column])[0] for label in labels) + gap
        self.pygame.display.flip()

    def _write(self, lines: list[Line], left: int, top: int) -> None:
        for row, (text, colour) in enumerate(lines):
            self.surface.blit(self.font.render(text, True, colour), (left, top + row * ROW))

    def handle(self, event: Any, game: Game) -> bool:
        """Apply one event to the game and return whether the player stays."""
        if event.type == self.pygame.KEYDOWN:
            key = self.pygame.key.name(event.key)
            command = game.keys.command(key, bool(event.mod & self.pygame.KMOD_CTRL))
            if command == "reset":
                game.reset()
            elif command == "new goal":
                game.new_goal()
            elif command == "quit":
                return False
            else:
                game.press(key, next((scale for modifier, scale in self.scales.items() if event.mod & modifier), 1.0))
        if event.type in (self.pygame.KEYDOWN, self.pygame.WINDOWEXPOSED):
            self.draw(game)
        return event.type != self.pygame.QUIT
